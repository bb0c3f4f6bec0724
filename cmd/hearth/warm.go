package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"hearth"
	"hearth/internal/sessions"
	"hearth/internal/spark"
)

// pool says which drivers are started ahead. A hearth run is over before one of
// them would be of use; those of a server, which is away and has another address,
// wait for that.
func (s *server) pool() sessions.PoolConfig {
	c := sessions.PoolConfig{
		Drivers: s.settings.WarmDrivers,
		Age:     s.settings.WarmAge.Duration,
		Bound:   s.bound,
		Available: func() (int64, bool) {
			return freeMemory(os.DirFS("/"))
		},
	}
	if s.options.Embedded {
		c.Drivers, c.Aside = 0, true
	}
	return c
}

// bound is what drivers are started with beside their launch. Drivers that an
// earlier server has started are of use only when that had the same program,
// settings, address and environment, and handed the same on. Builds of one version,
// as "(devel)" is, are told apart by their files.
func (s *server) bound(launch hearth.Launch) string {
	text, err := json.Marshal([]any{
		version(), mark(self()), s.settings, s.http.URL(), spark.Inherited(), handedOn(),
		spark.VersionOf(launch.Engine), s.settings.TableFormatsOf(launch.WorkGroup),
	})
	if err != nil {
		panic(fmt.Sprintf("settings cannot be written as JSON: %v", err))
	}
	return string(text)
}

// mark tells a file from what was there before or is elsewhere, without reading
// it: by its length and when it was written. It is "" where there is no file.
func mark(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d bytes of %d", info.Size(), info.ModTime().UnixNano())
}

// handedOn is what the system hands on from this process to those that it starts,
// and they to theirs: the user and the groups, the umask, the limits of a process,
// and, on Linux, the control groups. A process is asked that was started as they
// are: a program in Go has another limit of files than it hands on, and cannot read
// its umask without changing it. What cannot be found out is the same for all.
var handedOn = sync.OnceValue(func() string {
	shell := exec.Command("/bin/sh", "-c", "id; umask; ulimit -S -a; ulimit -H -a")
	shell.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	told, _ := shell.Output()
	within, _ := os.ReadFile("/proc/self/cgroup")
	return string(told) + string(within)
})
