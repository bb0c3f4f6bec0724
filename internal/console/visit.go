package console

import (
	"net/http"
	"time"

	"hearth"
	"hearth/internal/access"
)

const (
	tokenParameter = "authToken" // of a link
	cookieName     = "hearth-session"

	// visitLifetime is how long a page can be used after its link was opened.
	visitLifetime = 12 * time.Hour
)

// visit is one browser at one session.
type visit struct {
	sessionID string
	principal string // access key id of whoever made the link
}

// visited lets a request in when its cookie has a pass to the session.
func (c *Console) visited(serve func(http.ResponseWriter, *http.Request, visit) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		cookie, err := r.Cookie(cookieName)
		if err != nil {
			return hearth.Errorf(hearth.KindDenied, "This page is opened by a link.")
		}
		id := r.PathValue("id")
		pass, err := c.keys.Unseal(r.Context(), cookie.Value, access.PurposePage, id)
		if err != nil {
			return err
		}
		return serve(w, r, visit{id, pass.AccessKeyID})
	}
}

// open serves the page, or exchanges the pass of a link for a cookie.
func (c *Console) open(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if !query.Has(tokenParameter) {
		return c.visited(c.session)(w, r)
	}
	ctx, id := r.Context(), r.PathValue("id")
	pass, err := c.keys.Unseal(ctx, query.Get(tokenParameter), access.PurposeLink, id)
	if err != nil {
		return err
	}
	pass.Purpose, pass.Expires = access.PurposePage, time.Now().Add(visitLifetime)
	sealed, err := c.keys.Seal(ctx, pass)
	if err != nil {
		return err
	}
	// Lax, not strict: a strict cookie would not come along when the link was
	// on another site's page. Nothing changes by following a link.
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: sealed, Path: pathOf(id), MaxAge: int(visitLifetime / time.Second),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
	c.log.InfoContext(ctx, "session opened in a browser", "session", id, "key", pass.AccessKeyID, "request", requestID(w), "remote", r.RemoteAddr)
	http.Redirect(w, r, pathOf(id), http.StatusSeeOther)
	return nil
}

// requestID is the one that the log has the request under.
func requestID(w http.ResponseWriter) string { return w.Header().Get("X-Amzn-Requestid") }
