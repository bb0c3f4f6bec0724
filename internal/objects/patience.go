package objects

import (
	"encoding/xml"
	"io"
	"net/http"
	"sync"
	"time"
)

// patience is how long a client hears nothing of an answer that takes long:
// clients give up after a minute or so.
const patience = 10 * time.Second

// patiently answers with what act gives. When that takes long, it begins the
// answer with status 200 and spaces, as S3 does. An error is in the body then.
func (h *handler) patiently(w http.ResponseWriter, r *http.Request, act func() (any, error)) error {
	done := make(chan struct{})
	var begun bool
	var spaces sync.WaitGroup
	spaces.Go(func() {
		ticks := time.NewTicker(patience)
		defer ticks.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticks.C:
			}
			if begun {
				io.WriteString(w, " ")
			} else {
				begun = true
				w.Header().Set("Content-Type", "application/xml")
				io.WriteString(w, xml.Header)
			}
			http.NewResponseController(w).Flush() // a client that is gone needs no answer
		}
	})
	answer, err := func() (any, error) {
		defer spaces.Wait()
		defer close(done) // also when act panics: nobody may write to an answer that is over
		return act()
	}()
	switch {
	case !begun && err != nil:
		return err
	case !begun:
		return writeXML(w, http.StatusOK, answer)
	case err != nil:
		h.note(w, r, err)
		answer = errorElementOf(w, r, err)
	}
	xml.NewEncoder(w).Encode(answer)
	return nil
}
