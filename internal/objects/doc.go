// Package objects keeps objects under s3:// URIs in files, and serves them to
// S3 clients.
//
// # On disk
//
// A bucket is a folder. Inside it every part of a key between slashes is a
// folder, and the last part is a file that holds exactly the object's bytes, or
// these encrypted:
//
//	hearth/                        bucket hearth
//	  .%bucket                     its time is when the bucket was made
//	  0f31…+/                      key 0f31…/stdout, content
//	    stdout
//	    .stdout%meta               its ETag and what was said of it, as JSON
//	  .%uploads/                   multipart uploads that are not complete
//	    5XKZ…/                     one of them
//	      upload                   its key and what was said of it, as JSON
//	      00001                    its first part, kept as an object is
//	      .00001%meta
//	  a                            key a
//	  a+/                          keys that begin with a/
//	    %empty                     key a/
//	    b                          key a/b
//
// Keys are not paths: a, a/ and a/b may exist at once, and "..", "//" and a
// last dot are ordinary text. So the names are written by these rules, which
// need no look at what is there already and can be undone:
//
//   - A folder's name ends in "+". A "+" at the end of a part is written %2B.
//   - "%", control characters, and the first dot of "." and ".." are written as
//     "%" and two hexadecimal digits. A part that is empty is the file %empty.
//   - A part that gets longer than a file name may be is cut: the beginning is
//     a folder whose name ends in "%", and the rest goes on inside.
//   - Names with any other "%" are the store's own. They begin with a dot.
//
// A file that somebody else puts there under such a name is an object too; its
// ETag is computed whenever it is asked for. Two keys that differ only in case
// need a file system that tells them apart.
//
// # Writing
//
// Content is written to a temporary file and renamed onto its name: that
// rename is the commit. The description beside it is replaced before. It
// describes both the content that is there and the one to come, told apart by
// size and time of change, so that content and description always agree. Files
// and folders are synced before Put returns.
//
// A delete removes the content, which is its commit, then the description, then
// folders that are empty. Whoever writes into one of these at the same time
// makes it again.
//
// A multipart upload becomes an object as any content does; then its folder goes.
// A crash in between leaves both: whoever completes it again gets the same
// object. Aborting one renames its folder away first, so that a part that is on
// its way finds no place.
//
// # Encryption
//
// An object that is put with SSE_S3 is encrypted on its way to the temporary
// file: its file is an age file, and its ETag and checksum, which would tell
// contents apart, are sealed. The master key is in a file beside the store's directory, made when
// it is needed first. From then on .encrypted in the directory has the key's id,
// and the store does not open without this key: it would make a second one, and
// nobody would notice that the first is lost.
//
// A file that is damaged, cut or in another's place is an error of whoever reads
// it. What is not noticed is an older file of the same key put back, and a file in
// plain text put there together with its description: both take somebody who may
// write in the directory, and such a one could as well delete.
//
// One process at a time may have a store open.
package objects
