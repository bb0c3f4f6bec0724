// Package awsjson serves AWS JSON 1.1, the protocol of AWS's older JSON
// services (https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html): one
// address, the operation in X-Amz-Target, JSON both ways.
//
// It knows no service. A Service lists its operations, made by NewOperation
// from a decoder, a check of constraints and a handler; the first two are
// generated from the service's model. What is answered to a broken request, and
// in which order its faults are looked for, follows what real services answer:
// JSON that does not parse, then values of the wrong type, then constraints of
// the model, then the handler.
package awsjson
