package spark

import _ "embed"

// connectServer holds Connect, compiled.
//
//go:embed java/connect.jar
var connectServer []byte

// connectJar is Hearth's part of Spark Connect.
var connectJar = ownJar("hearth-connect", connectServer)

// connectJars have a driver speak Spark Connect. Spark's jar has no dependencies:
// its gRPC is in it, under names of its own.
var connectJars = []jar{
	connectJar,
	mavenJar("org.apache.spark", "spark-connect_2.12", "3.5.7", 14147901, "15366e21273a874c760b51fa00743a2acb8fa78642cc35d7a076a3ade0c5eef6"),
}
