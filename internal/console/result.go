package console

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"hearth"
)

// maxResult is the most bytes that a result document may have to be shown.
const maxResult = 4 << 20

// result is one thing that code displayed, in one form.
type result struct {
	Image    template.URL // data: URL
	Document string       // an HTML document, for a sandbox
	Scripted bool         // it has scripts, which do not run
	Text     string       // stands for the image, too
}

// results reads what a calculation displayed. It returns KindNotFound when that
// is not there any more, and KindUnavailable when it is too large.
func (c *Console) results(ctx context.Context, calculation hearth.Calculation) ([]result, error) {
	content, err := c.sessions.Result(ctx, calculation.ID)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	text, err := io.ReadAll(io.LimitReader(content, maxResult+1))
	if err != nil {
		return nil, fmt.Errorf("read the result of calculation %s: %w", calculation.ID, err)
	}
	if len(text) > maxResult {
		return nil, hearth.Errorf(hearth.KindUnavailable, "The results are too large to be shown here. They are in %s.", calculation.ResultDocumentURI())
	}
	var document struct {
		Outputs []struct {
			Data bundle `json:"data"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, hearth.Internal(err, "reading the result of calculation "+calculation.ID)
	}
	var shown []result
	for _, output := range document.Outputs {
		shown = append(shown, output.Data.show())
	}
	return shown, nil
}

// bundle is a thing in several forms, by media type (Jupyter's MIME bundle).
type bundle map[string]any

// show takes the form that shows most.
func (b bundle) show() result {
	plain, _ := b.text("text/plain")
	for _, media := range []string{"image/png", "image/jpeg", "image/gif"} {
		encoded, ok := b.text(media)
		if !ok {
			continue
		}
		if image, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			return result{Image: dataURL(media, image), Text: plain}
		}
	}
	// Scripts in an image do not run.
	if image, ok := b.text("image/svg+xml"); ok {
		return result{Image: dataURL("image/svg+xml", []byte(image)), Text: plain}
	}
	if document, ok := b.text("text/html"); ok {
		return result{Document: framed(document), Scripted: strings.Contains(strings.ToLower(document), "<script")}
	}
	if _, ok := b["text/plain"]; ok {
		return result{Text: plain}
	}
	return result{Text: "This cannot be shown here: " + strings.Join(slices.Sorted(maps.Keys(b)), ", ")}
}

// text reads a form that is text, or a list of its lines.
func (b bundle) text(media string) (string, bool) {
	switch form := b[media].(type) {
	case string:
		return form, true
	case []any:
		var whole strings.Builder
		for _, line := range form {
			text, ok := line.(string)
			if !ok {
				return "", false
			}
			whole.WriteString(text)
		}
		return whole.String(), true
	}
	return "", false
}

func dataURL(media string, content []byte) template.URL {
	return template.URL("data:" + media + ";base64," + base64.StdEncoding.EncodeToString(content))
}

// framed is a document for a sandbox, in our colours.
func framed(body string) string {
	return "<!doctype html><html lang=\"en\"><head><title>Result</title><style>" + frameStyle + "</style></head><body>" + body
}
