package console

import (
	"net/http"
	"time"

	"hearth"
	"hearth/internal/access"
)

const (
	tokenParameter = "authToken" // of a link

	// visitLifetime is how long a page can be used after its link was opened.
	visitLifetime = 12 * time.Hour
)

// room is what a link opens.
type room struct {
	link, page access.Purpose // of the link's pass and of the cookie's
	cookie     string
	below      string // where it is, below the session's page; the cookie goes there and further below
	entered    string // for the log
}

var (
	wholeSession = room{access.PurposeLink, access.PurposePage, "hearth-session", "", "session opened in a browser"}
	sparkPages   = room{access.PurposeSparkLink, access.PurposeSparkPage, "hearth-spark", "/spark", "Spark's pages opened in a browser"}
)

func (o room) path(sessionID string) string { return pathOf(sessionID) + o.below }

// visit is one browser at one session.
type visit struct {
	sessionID string
	principal string // access key id of whoever made the link
}

// visited lets a request in when a cookie has a pass to one of the rooms.
func (c *Console) visited(serve func(http.ResponseWriter, *http.Request, visit) error, rooms ...room) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		refusal := error(hearth.Errorf(hearth.KindDenied, "This page is opened by a link."))
		id := r.PathValue("id")
		for _, room := range rooms {
			cookie, err := r.Cookie(room.cookie)
			if err != nil {
				continue
			}
			pass, err := c.keys.Unseal(r.Context(), cookie.Value, room.page, id)
			if err == nil {
				return serve(w, r, visit{id, pass.AccessKeyID})
			}
			refusal = err
		}
		return refusal
	}
}

// open exchanges the pass of a link for a cookie.
func (c *Console) open(w http.ResponseWriter, r *http.Request, to room) error {
	ctx, id := r.Context(), r.PathValue("id")
	pass, err := c.keys.Unseal(ctx, r.URL.Query().Get(tokenParameter), to.link, id)
	if err != nil {
		return err
	}
	pass.Purpose, pass.Expires = to.page, time.Now().Add(visitLifetime)
	sealed, err := c.keys.Seal(ctx, pass)
	if err != nil {
		return err
	}
	// Lax, not strict: a strict cookie would not come along when the link was
	// on another site's page. Nothing changes by following a link.
	http.SetCookie(w, &http.Cookie{
		Name: to.cookie, Value: sealed, Path: to.path(id), MaxAge: int(visitLifetime / time.Second),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
	c.log.InfoContext(ctx, to.entered, "session", id, "key", pass.AccessKeyID, "request", requestID(w), "remote", r.RemoteAddr)
	http.Redirect(w, r, to.path(id), http.StatusSeeOther)
	return nil
}

// enter serves the first page of a room, to which its links lead.
func (c *Console) enter(to room, serve func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.URL.Query().Has(tokenParameter) {
			return c.open(w, r, to)
		}
		return serve(w, r)
	}
}

// requestID is the one that the log has the request under.
func requestID(w http.ResponseWriter) string { return w.Header().Get("X-Amzn-Requestid") }
