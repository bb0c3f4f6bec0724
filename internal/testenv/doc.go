// Package testenv gives tests the real things: a Spark engine, a Python with
// AWS clients, and the real binary as a server. What is missing is installed
// once, in the places where the product or the user's cache keeps it; nothing
// is skipped because it is absent.
package testenv
