// Package hearth is the vocabulary of Hearth: Amazon Athena for Apache Spark's
// session service, with a real Spark driver behind every session.
//
// A client asks for a Session and gets a driver of its own: a Python process
// with a SparkContext. It runs Calculations in the session, one at a time, and
// ends the session, or leaves it to end when it has been idle for long enough.
// A WorkGroup says which Engine its sessions run on, where their results go
// and what they may use. An Executor is what holds the resources of a session. A
// Notebook is a file of cells that a workgroup keeps and a session may belong to.
//
// The package holds these nouns, their rules and limits, the two state
// machines (SessionTransitions, CalculationTransitions) and the ports through
// which the application reaches the world: Store, Drivers and Objects. It
// imports the standard library only. What decides lives in internal/sessions;
// every other package adapts something: a protocol, a database, a process.
package hearth
