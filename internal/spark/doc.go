// Package spark keeps Spark engines: it finds and installs them, and says which
// processes a driver of one consists of.
//
// An engine is a directory of its own, named by Spark's version. It holds a
// Python environment with Spark in it, a Java runtime when the machine has
// none that fits, and an archive of loaded classes that makes drivers start
// faster. It becomes an engine when engine.json is written, which is the last
// thing that an installation does: a Python environment cannot be moved, so it
// is built where it stays. Whatever lies there without engine.json is an
// installation that was interrupted, and is gone on with.
//
// Java is the machine's: it is updated, goes and comes back. An engine is then
// repaired beside what drivers start with, and engine.json replaced at the end.
package spark
