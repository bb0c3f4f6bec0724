package metastore

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Kinds of Thrift's messages.
const (
	messageCall      = 1
	messageReply     = 2
	messageException = 3
	messageOneway    = 4
)

// version is that of the binary protocol, in its strict form.
const version = 0x8001 << 16

// Kinds of TApplicationException.
const (
	unknownMethod = 1
	internalError = 6
	protocolError = 7
)

// call is a request.
type call struct {
	method    string
	oneway    bool // wants no reply
	sequence  int32
	arguments *structure
}

func decodeCall(message []byte) (call, error) {
	r := &reader{rest: message}
	head := uint32(r.i32())
	kind := head & 0xff
	c := call{method: r.text(), sequence: r.i32(), oneway: kind == messageOneway}
	if r.err == nil && (head&0xffff0000 != version || kind != messageCall && kind != messageOneway) {
		r.fail(errors.New("it is no call of Thrift's binary protocol"))
	}
	if r.err == nil {
		c.arguments = r.structure()
	}
	if r.err != nil {
		return c, fmt.Errorf("a message cannot be read: %w", r.err)
	}
	return c, nil
}

func (c call) message(kind uint32, content *structure) []byte {
	b := binary.BigEndian.AppendUint32(nil, version|kind)
	b = appendValue(b, c.method)
	b = appendValue(b, c.sequence)
	return appendValue(b, content)
}

// reply answers with a result: a value in field 0, or a declared exception.
func (c call) reply(result *structure) []byte { return c.message(messageReply, result) }

// refuse answers with an exception that any method may have.
func (c call) refuse(kind int32, text string) []byte {
	return c.message(messageException, build(1, text, 2, kind))
}
