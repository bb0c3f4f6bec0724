package spark

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hearth"
)

// pip is the only client of the package index: it knows the mirrors, proxies,
// certificates and credentials that the user has configured, resumes a transfer
// that breaks off, verifies checksums and keeps complete files in its cache.
type pip struct {
	python string // the environment's
	index  string // "" is what pip is configured with
	cache  string // directory of complete downloads; an interrupted installation goes on with it
	temp   string // directory that archives are unpacked and built in
	old    bool   // pip as Python ships it, which cannot tell its progress
	lock   *os.File
	tell   func(doing string, done, total int64)
}

// install makes the environment satisfy the arguments. It returns
// KindUnavailable with what to do when the index or the disk does not play along.
func (p pip) install(ctx context.Context, args ...string) error {
	for _, dir := range []string{p.cache, p.temp} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return hearth.Errorf(hearth.KindUnavailable, "The engines' directory cannot be written: %w.", err)
		}
	}
	bar := "raw"
	if p.old {
		bar = "off"
	}
	command := []string{
		"-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-warn-script-location",
		"--cache-dir", p.cache, "--retries", "3", "--progress-bar", bar,
	}
	if p.index != "" {
		command = append(command, "--index-url", p.index)
	}
	cmd := exec.CommandContext(ctx, p.python, append(command, args...)...)
	// Where packages go is ours to say; everything else of the user's set-up holds.
	cmd.Env = append(without(os.Environ(), "PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_NO_CACHE_DIR"),
		"PIP_USER=0", "PYTHONUNBUFFERED=1", "TMPDIR="+p.temp)
	asGroup(cmd)
	if p.lock != nil {
		// Should this process be killed, pip goes on, and keeps others out while it does.
		cmd.ExtraFiles = []*os.File{p.lock}
	}
	output, input := io.Pipe()
	cmd.Stdout, cmd.Stderr = input, input
	if err := cmd.Start(); err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "pip cannot be started: %w.", err)
	}
	read := make(chan string)
	go func() { read <- p.follow(output) }()
	err := cmd.Wait()
	input.Close()
	said := <-read
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return p.explain(err, said)
	}
	return nil
}

// asGroup makes a command a process group of its own, which is ended as a whole:
// pip runs builds in further processes.
func asGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	cmd.WaitDelay = 10 * time.Second
}

var (
	progressLine = regexp.MustCompile(`^Progress (\d+) of (\d+)$`)
	fileLine     = regexp.MustCompile(`^(?:Downloading|Resuming download|Using cached) (\S+)`)
	buildLine    = regexp.MustCompile(`^Building wheel for (\S+)`)
)

// follow reports what pip says that it is doing and returns the rest.
func (p pip) follow(output io.Reader) string {
	var rest strings.Builder
	file := ""
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if m := progressLine.FindStringSubmatch(line); m != nil {
			done, _ := strconv.ParseInt(m[1], 10, 64) // digits only
			total, _ := strconv.ParseInt(m[2], 10, 64)
			p.tell(file, done, total)
			continue
		}
		fmt.Fprintln(&rest, line)
		switch {
		case fileLine.MatchString(line):
			file = packageOf(filepath.Base(fileLine.FindStringSubmatch(line)[1]))
		case buildLine.MatchString(line):
			p.tell("building "+buildLine.FindStringSubmatch(line)[1], 0, 0)
		case strings.HasPrefix(line, "Installing collected packages"):
			p.tell("unpacking", 0, 0)
		case strings.Contains(line, "Retrying (Retry("):
			p.tell("the package index does not answer, trying again", 0, 0)
		}
	}
	_, _ = io.Copy(io.Discard, output) // after a line that is too long
	return rest.String()
}

// packageOf gives "numpy 1.26.4" of the file's name.
func packageOf(file string) string {
	file, _, wheel := strings.Cut(file, ".whl")
	parts := strings.SplitN(strings.TrimSuffix(file, ".tar.gz"), "-", 3)
	if len(parts) < 2 || len(parts) == 3 && !wheel {
		return file
	}
	return parts[0] + " " + parts[1]
}

const keepsWhatItHas = "Then install again: files that have come completely are not loaded again."

// failures are what pip says when something goes wrong that the user can change.
var failures = []struct {
	says    *regexp.Regexp
	remedy  string
	spoiled bool // the cache holds a wrong file, and would give it again
}{
	{
		says:   regexp.MustCompile(`No space left on device|Disk quota exceeded`),
		remedy: "The disk is full. Free some space, or put the engines on another disk with HEARTH_ENGINES. " + keepsWhatItHas,
	},
	{
		says:    regexp.MustCompile(`DO NOT MATCH THE HASHES|Hash mismatch|hash mismatch`),
		remedy:  "A file came with another checksum than the package index announced, so it was thrown away. Install again; if it stays so, a proxy or a mirror on the way changes files.",
		spoiled: true,
	},
	{
		says:   regexp.MustCompile(`SSLError|CERTIFICATE_VERIFY_FAILED|SSLVerificationError|TLS certificate`),
		remedy: "The package index's certificate was not accepted. If a proxy replaces certificates, name its authority's file in pip's setting `cert` (pip config set global.cert FILE). " + keepsWhatItHas,
	},
	{
		says:   regexp.MustCompile(`ProxyError|Cannot connect to proxy|ProxyConnection`),
		remedy: "The proxy cannot be reached. Correct HTTPS_PROXY or pip's setting `proxy`. " + keepsWhatItHas,
	},
	{
		says:   regexp.MustCompile(`NewConnectionError|Connection refused|Name or service not known|Temporary failure in name resolution|Network is unreachable|No route to host|ConnectTimeout|ConnectionFailed|Failed to establish a new connection|nodename nor servname|Connection to \S+ timed out|Read timed out|Connection reset|IncompleteDownload|incomplete-download|ConnectionError`),
		remedy: "The package index does not answer, or the connection broke off. Check the network; behind a firewall name a mirror in PIP_INDEX_URL, or a proxy in HTTPS_PROXY. " + keepsWhatItHas,
	},
	{
		says:   regexp.MustCompile(`No matching distribution found`),
		remedy: "The package index does not have it for this machine and this Python. If PIP_INDEX_URL names a mirror, check that the mirror is complete.",
	},
}

// explain says what went wrong, with pip's own words for it.
func (p pip) explain(err error, said string) error {
	for _, f := range failures {
		if !f.says.MatchString(said) {
			continue
		}
		if f.spoiled {
			if err := os.RemoveAll(p.cache); err != nil {
				return hearth.Errorf(hearth.KindUnavailable, "A broken download cannot be removed: %w.", err)
			}
		}
		return hearth.Errorf(hearth.KindUnavailable, "%s pip said: %s", f.remedy, lastLines(complaint(said, f.says), 2))
	}
	return hearth.Errorf(hearth.KindUnavailable, "pip could not install the packages (%w). It said: %s", err, lastLines(said, 5))
}

// complaint keeps the lines that say what is wrong.
func complaint(said string, what *regexp.Regexp) string {
	var lines []string
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "ERROR") || what.MatchString(line) && !strings.HasPrefix(line, "WARNING: Retrying") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if len(lines) == 0 {
		return said
	}
	return strings.Join(lines, "\n")
}
