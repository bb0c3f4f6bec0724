package hearth

import "time"

// LinkLifetime is how long a Link opens a session. Athena's clients ask for a
// new one every 10 minutes (API_CreatePresignedNotebookUrl).
const LinkLifetime = 10 * time.Minute

// Link opens a session's page, or Spark's pages of it, in the browser of whoever
// has it.
type Link struct {
	URL     string // has the token in it
	Token   string
	Expires time.Time // to the second
}

// CheckOpen refuses a link to a session that has ended. The error's kind is
// KindConflict.
func (s Session) CheckOpen() error {
	if s.State.Ended() {
		return Errorf(KindConflict, "Session is in the %s state; needs to be running to be opened in a browser. Start another session.", s.State)
	}
	return nil
}
