// Package shim is the process that owns a driver and outlives the server: the
// parent of the driver's Python kernel and of its Java process. It hands
// calculations to the kernel, keeps what they write, ends the driver when it
// has been idle for long enough or somebody asks, and names the cause when one
// of the two processes dies. All that happens it writes to a journal in the
// driver's bundle directory first and tells servers then, over a unix socket.
//
// What is decided is decided by core, which has neither clocks nor files; the
// rest of the package carries it out.
package shim
