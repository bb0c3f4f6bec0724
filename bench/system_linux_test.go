package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// A program that has a child, and says so.
const parentOfOne = "sleep 600 & echo $!; wait"

func TestFamily(t *testing.T) {
	command := exec.Command("sh", "-c", parentOfOne)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := begin(command)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	processes, err := family(p.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		for _, pid := range slices.Backward(processes) {
			if child, err := os.FindProcess(pid); err == nil {
				child.Kill()
			}
		}
		<-p.gone
	}()
	if len(processes) != 2 || processes[0] != p.Process.Pid {
		t.Errorf("the family of process %d is %v", p.Process.Pid, processes)
	}
}

// A program whose child has ended and left one of its own, and that says so.
const orphansParent = "exec 3>&1; left=$(sleep 600 >&3 & echo $!); echo $left; exec sleep 600"

func TestEndFamily(t *testing.T) {
	for name, program := range map[string]string{"a child": parentOfOne, "an orphan": orphansParent} {
		t.Run(name, func(t *testing.T) {
			out, in, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			command := exec.Command("sh", "-c", program)
			command.Stdout = in
			p, err := begin(command)
			in.Close()
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(out)
			var other int
			if _, err := fmt.Fscanln(lines, &other); err != nil {
				t.Fatal(err)
			}
			if err := p.endFamily(); err != nil {
				t.Error(err)
			}
			// What they write to ends when the last of them does.
			if err := out.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := lines.ReadByte(); err != io.EOF {
				t.Errorf("process %d outlives the family that it is of (%v)", other, err)
				if program, err := os.FindProcess(other); err == nil {
					program.Kill()
				}
			}
		})
	}
}

func TestAccounting(t *testing.T) {
	self := os.Getpid()
	t.Run("processor time grows with work", func(t *testing.T) {
		for before, sum := processorTime([]int{self}), 0; processorTime([]int{self}) < before+50*time.Millisecond; {
			for i := range 1_000_000 {
				sum += i
			}
		}
	})
	t.Run("what a process has used that is gone is not taken from what others use", func(t *testing.T) {
		const gone = 1 << 30 // no process has this number
		before := used{self: processorTime([]int{self}) - time.Second, gone: time.Hour}
		if since := before.since(); since < time.Second {
			t.Errorf("%v were used, want a second at least", since)
		}
	})
	t.Run("proportional memory is a part of resident memory", func(t *testing.T) {
		proportional, err := proportionalMiB(self)
		if err != nil {
			t.Fatal(err)
		}
		peak, err := statusMiB(self, "VmHWM")
		if err != nil {
			t.Fatal(err)
		}
		if proportional <= 0 || proportional > peak {
			t.Errorf("%v MiB, of %v MiB at the most", proportional, peak)
		}
	})
	t.Run("descriptors count open files", func(t *testing.T) {
		before, err := descriptors(self)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if now, err := descriptors(self); err != nil || now != before+1 {
			t.Errorf("%v, with one more %v (%v)", before, now, err)
		}
	})
	t.Run("of a process that is gone nothing can be told", func(t *testing.T) {
		command := exec.Command("true")
		if err := command.Run(); err != nil {
			t.Fatal(err)
		}
		if _, err := statusMiB(command.Process.Pid, "VmRSS"); err == nil || !strings.Contains(err.Error(), errUntold.Error()) {
			t.Errorf("err = %v", err)
		}
	})
}
