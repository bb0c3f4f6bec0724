package objects

import (
	"net/http"

	"hearth"
)

const (
	// maxDeletions is the most objects that one DeleteObjects may name.
	maxDeletions = 1000

	maxDeleteRequest = 2 << 20 // bytes; 1,000 keys of 1,024 with what is around them
)

func (h *handler) deleteObject(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	if err := checkVersion(r.URL.Query().Get("versionId")); err != nil {
		return err
	}
	outcomes, err := h.store.Delete(r.Context(), bucket, Deletion{Key: key, Match: unquoted(r.Header.Get("If-Match"))})
	if err == nil {
		err = outcomes[0]
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// checkVersion refuses versions of objects, of which there are none.
func checkVersion(id string) error {
	if id != "" && id != "null" {
		return faultf(noSuchVersion, "Objects have no versions here, so there is no version %s.", id)
	}
	return nil
}

func (h *handler) deleteObjects(w http.ResponseWriter, r *http.Request, bucket, _ string) error {
	var wanted deleteRequest
	if err := readCheckedXML(r, maxDeleteRequest, &wanted); err != nil {
		return err
	}
	if n := len(wanted.Objects); n == 0 || n > maxDeletions {
		return faultf(malformedXML, "The request names %d objects to delete; it has to name 1 to %d.", n, maxDeletions)
	}
	outcomes := make([]error, len(wanted.Objects))
	var deletions []Deletion
	var places []int // of deletions in wanted.Objects
	for i, o := range wanted.Objects {
		if outcomes[i] = checkVersion(o.VersionID); outcomes[i] == nil {
			deletions, places = append(deletions, Deletion{o.Key, unquoted(o.ETag)}), append(places, i)
		}
	}
	deleted, err := h.store.Delete(r.Context(), bucket, deletions...)
	if err != nil {
		return err
	}
	for i, outcome := range deleted {
		outcomes[places[i]] = outcome
	}
	var answer deleteResult
	for i, err := range outcomes {
		key := wanted.Objects[i].Key
		switch {
		case err != nil:
			h.note(w, r, err)
			code, _ := codeOf(err)
			answer.Errors = append(answer.Errors, deleteError{key, code, hearth.MessageOf(err)})
		case !wanted.Quiet:
			answer.Deleted = append(answer.Deleted, deletedElement{key})
		}
	}
	return writeXML(w, http.StatusOK, answer)
}
