package connect

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"hearth"
)

// code is a status of gRPC (its statuscodes document).
type code int

// The codes that we answer by ourselves. A fault of a token is PERMISSION_DENIED
// and never UNAUTHENTICATED, which Athena's clients do not expect; UNAVAILABLE
// makes Spark's clients try again, and go on with their operation.
const (
	permissionDenied  code = 7
	resourceExhausted code = 8
	unimplemented     code = 12
	internal          code = 13
	unavailable       code = 14
)

// Where gRPC says how a call ended.
const (
	statusKey  = "Grpc-Status"
	messageKey = "Grpc-Message"
	detailsKey = "Grpc-Status-Details-Bin"

	mediaType = "application/grpc"
)

// refusal is how a call ends that no driver ended.
type refusal struct {
	code    code
	message string
	cause   error // for the log
}

func (r *refusal) Error() string { return r.message }

var (
	errNoToken  = &refusal{code: permissionDenied, message: "The call has no token. GetSessionEndpoint gives one, to be sent as x-aws-proxy-auth; hearth connect prints an address that has it."}
	errService  = &refusal{code: unimplemented, message: "Only spark.connect.SparkConnectService is served here."}
	errMetadata = &refusal{code: resourceExhausted, message: fmt.Sprintf("The call has more than %d bytes of metadata.", maxMetadata)}

	errNotDriver = errors.New("what answers at the driver's address speaks no gRPC")
)

func errCrowded(connections int) error {
	return &refusal{code: resourceExhausted, message: fmt.Sprintf("Clients of Spark Connect have all connections that the server takes: %d (connect_max_connections). "+
		"Stop a client that is not needed, or have the server take more.", connections)}
}

// refusalOf says an error in gRPC's terms.
func (c *call) refusalOf(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if c.server.leaving.Err() != nil {
		return c.lost(err)
	}
	r := &refusal{code: internal, message: hearth.MessageOf(err)}
	switch hearth.KindOf(err) {
	case hearth.KindDenied:
		r.code = permissionDenied
	case hearth.KindUnavailable:
		r.code = unavailable
	case hearth.KindInternal:
		r.cause = err
	}
	return r
}

// lost is the refusal of a call that a driver has heard of, or was to hear of,
// and that it does not answer any more. The cause names the driver's address and
// stays in the log.
func (c *call) lost(cause error) *refusal {
	if c.server.leaving.Err() != nil {
		return &refusal{code: unavailable, message: fmt.Sprintf("The server is stopping. Session %s goes on; call again when the server is back.", c.session)}
	}
	return &refusal{
		code:    unavailable,
		message: fmt.Sprintf("The driver of session %s does not answer any more. Call again: if the session has ended, the answer tells why.", c.session),
		cause:   cause,
	}
}

// write answers with the status alone, as gRPC does when there is nothing before
// it.
func (r *refusal) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", mediaType)
	for key, values := range r.header() {
		header[key] = values
	}
	w.WriteHeader(http.StatusOK)
}

func (r *refusal) header() http.Header {
	return http.Header{statusKey: {strconv.Itoa(int(r.code))}, messageKey: {escape(r.message)}}
}

// escape writes a message as gRPC's protocol has it: what is not printable ASCII,
// and %, percent-encoded.
func escape(message string) string {
	var b strings.Builder
	for i := range len(message) {
		if c := message[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
