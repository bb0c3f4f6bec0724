package awsjson

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// ContentType is the media type of the protocol, both ways.
const ContentType = "application/x-amz-json-1.1"

// Error is a refusal as the protocol has it.
type Error struct {
	Type    string // bare name: InvalidRequestException
	Status  int    // HTTP status; 0 is 400
	Message string // "" leaves the message out
	Members []Member
}

// Member is a further string of an error's body.
type Member struct{ Name, Value string }

func (e *Error) Error() string { return e.Type + ": " + e.Message }

func serialization(message string) *Error {
	return &Error{Type: "SerializationException", Message: message}
}

func unknownOperation() *Error { return &Error{Type: "UnknownOperationException"} }

// body is the error as JSON. The message stands there under both names that
// clients look for, and the order is the one seen on real answers.
func (e *Error) body() []byte {
	members := append([]Member{{"__type", e.Type}}, e.Members...)
	if e.Message != "" {
		members = append(members, Member{"Message", e.Message}, Member{"message", e.Message})
	}
	var b bytes.Buffer
	for i, member := range members {
		b.WriteByte("{,"[min(i, 1)])
		b.Write(encode(member.Name))
		b.WriteByte(':')
		b.Write(encode(member.Value))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// WriteError answers with an error. The type stands in the body, where
// botocore looks for it, and in a header, which Go's SDK prefers.
func WriteError(w http.ResponseWriter, e *Error) {
	w.Header().Set("X-Amzn-ErrorType", e.Type)
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	write(w, status, e.body())
}

// encode writes a value as JSON, "<" and the like as they are. Values are
// structures of a model, which JSON can always express.
func encode(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic("awsjson: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}
