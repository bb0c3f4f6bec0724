package console

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"hearth"
)

// maxForm is the most bytes that a form may have: a character of code takes up
// to twelve of them.
const maxForm = 12*hearth.MaxCodeLength + 4096

// submit runs the code of the form. What is not taken is given back to be sent
// again.
func (c *Console) submit(w http.ResponseWriter, r *http.Request, v visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return hearth.Errorf(hearth.KindInvalid, "The code is too long; at most %d characters are allowed.", hearth.MaxCodeLength)
		}
		return hearth.Errorf(hearth.KindInvalid, "The form could not be read. Go back and send it again.")
	}
	code := strings.ToValidUTF8(strings.ReplaceAll(r.PostForm.Get("code"), "\r\n", "\n"), "�")
	calculation, err := c.run(r, v, code)
	if err != nil {
		return c.show(w, r, v, &draft{Code: code, Message: c.message(w, r, err), Status: statuses[hearth.KindOf(err)]})
	}
	http.Redirect(w, r, pathOf(v.sessionID)+"#"+anchor(calculation.ID), http.StatusSeeOther)
	return nil
}

// run hands the code over once, however often the form is sent: by a double
// click, say. Changed code is another request.
func (c *Console) run(r *http.Request, v visit, code string) (hearth.Calculation, error) {
	if strings.TrimSpace(code) == "" {
		return hearth.Calculation{}, hearth.Errorf(hearth.KindInvalid, "There is no code to run.")
	}
	return c.sessions.Submit(r.Context(), v.principal, hearth.CalculationRequest{
		SessionID: v.sessionID,
		Code:      code,
		Token:     formToken(r.PostForm.Get("token"), code),
	})
}

func (c *Console) stop(w http.ResponseWriter, r *http.Request, v visit) error {
	calculation, err := c.calculation(r, v)
	if err != nil {
		return err
	}
	if _, err := c.sessions.Cancel(r.Context(), calculation.ID); err != nil {
		return err
	}
	http.Redirect(w, r, pathOf(v.sessionID)+"#"+anchor(calculation.ID), http.StatusSeeOther)
	return nil
}

func (c *Console) end(w http.ResponseWriter, r *http.Request, v visit) error {
	if _, err := c.sessions.Terminate(r.Context(), v.sessionID); err != nil {
		return err
	}
	http.Redirect(w, r, pathOf(v.sessionID), http.StatusSeeOther)
	return nil
}

// calculation gives the one that the address names, if it is the session's.
func (c *Console) calculation(r *http.Request, v visit) (hearth.Calculation, error) {
	id := r.PathValue("calculation")
	calculation, err := c.sessions.Calculation(r.Context(), id)
	if err == nil && calculation.SessionID != v.sessionID {
		err = hearth.CalculationNotFound(id)
	}
	return calculation, err
}

// written sends all that a calculation has written to a stream until now.
func (c *Console) written(w http.ResponseWriter, r *http.Request, v visit) error {
	stream := hearth.Stream(r.PathValue("stream"))
	if stream != hearth.Stdout && stream != hearth.Stderr {
		return nothing(w, r)
	}
	calculation, err := c.calculation(r, v)
	if err != nil {
		return err
	}
	content, err := c.sessions.Written(r.Context(), calculation.ID, stream)
	if err != nil {
		return err
	}
	defer content.Close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if _, err := io.Copy(w, content); err != nil {
		panic(http.ErrAbortHandler) // or the browser would take it for the whole
	}
	return nil
}

func (c *Console) notebook(w http.ResponseWriter, r *http.Request, v visit) error {
	session, err := c.sessions.Session(r.Context(), v.sessionID)
	if err != nil {
		return err
	}
	if session.NotebookID == "" {
		return hearth.Errorf(hearth.KindNotFound, "The session does not belong to a notebook.")
	}
	notebook, content, err := c.sessions.NotebookContent(r.Context(), session.NotebookID)
	if err != nil {
		return err
	}
	// Names that cannot be written in a header are left out.
	disposition := cmp.Or(mime.FormatMediaType("attachment", map[string]string{"filename": notebook.Name + ".ipynb"}), "attachment")
	w.Header().Set("Content-Type", "application/x-ipynb+json")
	w.Header().Set("Content-Disposition", disposition)
	io.WriteString(w, content)
	return nil
}

// addressOf is where something of a calculation is.
func addressOf(c hearth.Calculation, part string) string {
	return pathOf(c.SessionID) + "/calculations/" + url.PathEscape(c.ID) + "/" + part
}

func anchor(calculationID string) string { return "calculation-" + calculationID }
