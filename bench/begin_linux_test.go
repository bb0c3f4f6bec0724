package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// beginner is set for a test binary that is a run, which begins a program and is
// killed.
const beginner = "HEARTH_TEST_BEGINNER"

func TestBegin(t *testing.T) {
	if os.Getenv(beginner) != "" {
		p, err := begin(exec.Command("sleep", "600"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("began", p.Process.Pid)
		<-p.gone
		return
	}
	run := exec.Command(os.Args[0], "-test.run=^TestBegin$")
	run.Env = append(os.Environ(), beginner+"=1")
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(out).ReadString('\n')
	var pid int
	if _, scanning := fmt.Sscanf(said, "began %d\n", &pid); err != nil || scanning != nil {
		t.Errorf("it says %q (%v)", said, err)
	}
	if err := run.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = run.Wait() // it was killed
	if pid == 0 {
		return
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return // nobody may be there to take its status
		}
		if time.Now().After(deadline) {
			t.Errorf("what a run began outlives it, killed as it was: %s", stat)
			if program, err := os.FindProcess(pid); err == nil {
				_ = program.Kill()
			}
			return
		}
	}
}
