package httpd

import (
	"os"
	"strings"
)

// LogTail gives the end of a server's log, without the requests that went well,
// for whoever has to tell why the server did not do what it should. At most so
// many bytes are looked at.
func LogTail(file string, most int) string {
	log, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	var tail strings.Builder
	for line := range strings.Lines(string(log[max(0, len(log)-most):])) {
		if !strings.Contains(line, " status=200 ") {
			tail.WriteString(line)
		}
	}
	return tail.String()
}
