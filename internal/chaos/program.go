package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// kind is what a calculation's code does.
type kind string

const (
	quick    kind = "quick"    // a few lines and a value
	large    kind = "large"    // megabytes at once
	slow     kind = "slow"     // a line now and then
	parent   kind = "parent"   // leaves a process behind
	raising  kind = "raising"  // ends with an exception
	stubborn kind = "stubborn" // goes on until it is stopped, and does not like to be
)

// program is a calculation's code and all that it has to write.
type program struct {
	Kind   kind
	Code   string
	Stdout string
	Stderr string // without the text of an exception
	Value  string // of the last expression, as text/plain; "" for none
}

// mark is the beginning of every program: mark(b"x") leaves an x in the
// calculation's file of marks, which is no output and so cannot be lost with it.
const mark = `import os, subprocess, sys, time
def mark(sign):
    marks = os.open(%q, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(marks, sign)
    os.close(marks)
mark(b"b")
`

// Signs that code leaves.
const (
	signBegan = "b"
	signRuns  = "."
	signCame  = "e"
)

// newProgram makes a program that writes its name all over, and marks into the
// file.
func newProgram(rng *rand.Rand, name, file string) program {
	kinds := []kind{quick, quick, quick, quick, quick, large, slow, slow, slow, slow, parent, raising, stubborn}
	p := program{Kind: kinds[rng.IntN(len(kinds))]}
	var body strings.Builder
	fmt.Fprintf(&body, mark, file)
	switch p.Kind {
	case quick:
		n := 1 + rng.IntN(20)
		fmt.Fprintf(&body, "for i in range(%d): print(%q, i)\nprint('warned', file=sys.stderr)\nmark(b'e')\n%q\n", n, name, name)
		p.Stdout, p.Stderr, p.Value = numbered(name, n), "warned\n", "'"+name+"'"
	case large:
		n := 50_000 + rng.IntN(100_000)
		fmt.Fprintf(&body, "sys.stderr.write(''.join(f'%s {i}\\n' for i in range(%d)))\nsys.stdout.write(''.join(f'%s {i}\\n' for i in range(%d)))\nmark(b'e')\n", name, n/10, name, n)
		p.Stdout, p.Stderr = numbered(name, n), numbered(name, n/10)
	case slow:
		n := 5 + rng.IntN(40)
		fmt.Fprintf(&body, "for i in range(%d):\n    print(%q, i, flush=True)\n    mark(b'.')\n    time.sleep(.05)\nmark(b'e')\n", n, name)
		p.Stdout = numbered(name, n)
	case parent:
		fmt.Fprintf(&body, "child = subprocess.Popen(['sleep', '1000'])\nprint(%q, 0)\nmark(b'e')\n", name)
		p.Stdout = numbered(name, 1)
	case raising:
		fmt.Fprintf(&body, "print(%q, 0)\nmark(b'e')\nraise ValueError(%q)\n", name, name)
		p.Stdout = numbered(name, 1)
	case stubborn:
		fmt.Fprintf(&body, "print(%q, 0, flush=True)\nwhile True:\n    try:\n        mark(b'.')\n        time.sleep(.05)\n    except KeyboardInterrupt:\n        pass\n", name)
		p.Stdout = numbered(name, 1)
	}
	p.Code = body.String()
	return p
}

// numbered is what a loop of n prints.
func numbered(name string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s %d\n", name, i)
	}
	return b.String()
}
