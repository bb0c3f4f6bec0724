package hearth

import (
	"crypto/rand"
	"strings"
	"time"
)

// MaxNotebookSize is the most bytes that a notebook's file may have (Athena's
// ImportNotebook: 10 megabytes).
const MaxNotebookSize = 10 << 20

// notebookExtension is what the names of notebooks do not have, and their
// files do.
const notebookExtension = ".ipynb"

// AdditionalNotebookID is the key of AdditionalConfigs by which a session
// belongs to a notebook (AWS's CloudTrail samples).
const AdditionalNotebookID = "NotebookId"

// Notebook is a file of cells that a workgroup keeps. A session may belong to
// it, one at a time; while one does, the notebook has a name that stays and
// changes through that session only.
type Notebook struct {
	ID         string
	WorkGroup  string
	Name       string // without .ipynb; once in its workgroup
	CreatedAt  time.Time
	ModifiedAt time.Time // never goes back
}

// NewNotebookID makes an id for a notebook. Unlike Athena's other ids it is an
// ordinary random UUID.
func NewNotebookID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return formatID(b)
}

// CheckNotebookName refuses a file's name in place of a notebook's. The error's
// kind is KindInvalid.
func CheckNotebookName(name string) error {
	if bare, has := strings.CutSuffix(name, notebookExtension); has {
		return Errorf(KindInvalid, "The name of a notebook is without %s. Name it %q.", notebookExtension, bare)
	}
	return nil
}

// NotebookRequest asks for an empty notebook.
type NotebookRequest struct {
	WorkGroup string
	Name      string
	Token     string // ClientRequestToken
}

// NotebookImport asks for a notebook of a file, of which either Content or
// Location is given.
type NotebookImport struct {
	WorkGroup string
	Name      string
	Content   string // an ipynb document
	Location  string // s3:// location of one
	Token     string // ClientRequestToken
}

// NotebookRename asks for another name.
type NotebookRename struct {
	ID    string
	Name  string
	Token string // ClientRequestToken
}

// NotebookSave asks for other content.
type NotebookSave struct {
	ID        string
	Content   string // an ipynb document
	SessionID string // the notebook's active session, when it has one
	Token     string // ClientRequestToken
}

// NotebookFilter selects notebooks of one workgroup.
type NotebookFilter struct {
	WorkGroup string
	Name      string // a part of the name; "" is any
}

// NotebookNotFound says that no such notebook is known.
func NotebookNotFound(id string) *Error {
	return Errorf(KindNotFound, "Notebook %s is not found.", id)
}

// NotebookExists refuses a name that another notebook of the workgroup has.
func NotebookExists(workGroup, name string) *Error {
	return Errorf(KindExists, "WorkGroup %s has a notebook with the name %s already. Use another name.", workGroup, name)
}

// NotebookActive refuses what a notebook with an active session does not take.
func NotebookActive(id, sessionID string) *Error {
	return Errorf(KindConflict, "Notebook %s has the active session %s. Terminate the session first.", id, sessionID)
}

// NotebookSessionExists refuses a second active session of a notebook.
func NotebookSessionExists(id, sessionID string) *Error {
	return Errorf(KindExists, "Notebook %s has the active session %s already. Use it, or terminate it first.", id, sessionID)
}

// NotebookSessionRequired refuses a save that does not name the notebook's
// active session.
func NotebookSessionRequired(id, sessionID string) *Error {
	return Errorf(KindConflict, "Notebook %s has the active session %s: an update has to name it as its SessionId.", id, sessionID)
}

// NotSessionOfNotebook refuses a save by a session that has nothing to do with
// the notebook.
func NotSessionOfNotebook(id, sessionID string) *Error {
	return Errorf(KindInvalid, "Session %s is not one of notebook %s. Leave SessionId out, or name a session that was started with the notebook's id.", sessionID, id)
}
