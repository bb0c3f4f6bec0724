package shim

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// death is how one of the driver's processes ended.
type death struct {
	process string
	code    int            // its exit status, when no signal killed it
	signal  syscall.Signal // 0 when it exited
	oom     bool           // the system killed something for want of memory meanwhile
	limit   int64          // the memory that the driver may use, in bytes, when it was killed for that
	log     string         // the end of the driver's log
}

// cause words a death that nobody asked for.
func (d death) cause(starting bool) Event {
	name := language(d.process)
	e := Event{Process: d.process, Code: d.code, Signal: int(d.signal)}
	if d.signal != 0 {
		e.Reason = fmt.Sprintf("The driver's %s process was killed by signal %d (%s)", name, d.signal, unix.SignalName(d.signal))
		if d.signal == syscall.SIGKILL && d.oom {
			e.Reason += " by the system's out-of-memory killer: " + d.shortage()
		}
	} else {
		e.Reason = fmt.Sprintf("The driver's %s process ended by itself with status %d", name, d.code)
	}
	if starting {
		e.Reason += " before Spark was ready"
	}
	if d.signal == syscall.SIGKILL {
		return e // whoever is killed has no last words
	}
	if d.process == JVMProcess && sparkExits[d.code] != "" {
		e.Reason += ": " + sparkExits[d.code]
		return e
	}
	if said := lastWords(d.log, starting); said != "" {
		e.Reason += ": " + quote(said)
	}
	return e
}

// language is what people call a process by.
func language(process string) string {
	if process == JVMProcess {
		return "Java"
	}
	return "Python"
}

// sparkExits are the statuses that Spark ends its Java process with when it
// cannot go on (org.apache.spark.util.SparkExitCode); its log says nothing else
// that could be told from what calculations log.
var sparkExits = map[int]string{
	52: "its heap was full (java.lang.OutOfMemoryError); spark.driver.memory is how large it may be",
	53: "it could not make a directory for Spark's files, whose disk may be full",
}

// shortage says what there was too little memory in.
func (d death) shortage() string {
	if d.limit > 0 {
		return fmt.Sprintf("the driver needed more than the %d MiB that it may use, which spark.driver.memory decides", d.limit>>20)
	}
	return "the machine, or the container that the driver runs in, has too little memory"
}

// mistake finds the lines in which Java, Spark and Python say what is wrong.
var mistake = regexp.MustCompile(`^(?:Exception in thread "[^"]*" |(Caused by: )|# )?((?:Error|Unrecognized|Invalid|Could not|Conflicting|Fatal Python error|There is insufficient memory)\b.*|(?:[\w$]+\.)*[\w$]*(?:Exception|Error): .*)`)

// fatal finds the lines that a process says as its last. While a driver serves,
// other errors in its log are those of calculations, and no cause of its end.
var fatal = regexp.MustCompile(`(?m)^(?:# )?((?:Fatal Python error|Terminating due to|There is insufficient memory)\b.*)`)

// lastWords picks from a log what explains an end.
func lastWords(log string, starting bool) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	if starting {
		return startMistake(lines)
	}
	const recent = 40
	last := fatal.FindAllStringSubmatch(strings.Join(lines[max(0, len(lines)-recent):], "\n"), -1)
	if last == nil {
		return ""
	}
	return last[len(last)-1][1]
}

// startMistake picks the first thing that went wrong at the start, since the
// rest follows from it. A start without such a line is explained by its log's end.
func startMistake(lines []string) string {
	what, why := "", ""
	for i, line := range lines {
		m := mistake.FindStringSubmatch(strings.TrimSpace(line))
		switch {
		case m == nil:
		case m[1] != "":
			why = m[2]
		case what == "":
			what = m[2]
			if strings.HasSuffix(what, "initialization of VM") && i+1 < len(lines) { // what is wrong comes after it
				what = lines[i+1]
			}
		}
	}
	switch {
	case what == "":
		return strings.Join(lines[max(0, len(lines)-3):], " | ")
	case why != "":
		return what + ", caused by " + why
	}
	return what
}

// quote makes foreign text fit for a reason: one line, not endless, and without
// the names of session states, which clients search reasons for.
func quote(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if r := []rune(text); len(r) > 600 {
		text = string(r[:600]) + "…"
	}
	return stateNames.Replace(text)
}

var stateNames = strings.NewReplacer("TERMINATED", "terminated", "TERMINATING", "terminating", "DEGRADED", "degraded", "FAILED", "failed")
