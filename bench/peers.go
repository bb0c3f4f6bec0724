package bench

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// peerClient measures sessions of a peer.
//
//go:embed peers/client.py
var peerClient string

// Texts that Hearth's rows and its peers' have in common.
const (
	whatStart  = "cold: session asked for, until its first count is seen"
	whatTrip   = "%s, submit to result seen"
	whatCancel = "cancel of %s, until that is told"
	whatDeath  = "its Java killed, until that is told"
	whatMemory = "an idle session's processes, proportional memory"
)

// Code that Hearth and its peers are given, beside what is cancelled.
const (
	codeFirst   = "spark.range(1).count()"
	codeNothing = "1+1" // for Spark
	codeCount   = "spark.range(1000).count()"
)

// sessionPeer is a program that has sessions of Spark, too.
type sessionPeer struct {
	name  string
	begin func(ctx context.Context, b *bench, data, address string) (*exec.Cmd, error) // a server; nil where it is not installed
	needs []string                                                                     // Python packages of its client
}

var sessionPeers = []sessionPeer{
	{name: "plain pyspark"},
	{name: "Kernel Gateway", begin: kernelGateway, needs: []string{"websocket-client==1.9.0"}},
	{name: "Spark Connect server", begin: connectServer, needs: connectPackages},
	{name: "Livy", begin: livy},
}

// peers measures what has sessions of Spark, too, as its own clients use it, and
// compares with it what was measured of Hearth in the run. A peer that fails is
// none of the others' business.
func peers(ctx context.Context, b *bench) error {
	for _, p := range sessionPeers {
		if err := b.measurePeer(ctx, p); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			b.failed(fmt.Errorf("%s: %w", p.name, err))
		}
	}
	for _, ours := range b.report.Rows {
		for _, theirs := range b.report.Rows {
			if ours.Who == us && theirs.Figure == b.figure && theirs.What == ours.What && ours.Figure != b.figure && !ours.isOver(theirs.Who) {
				ours.over(theirs)
			}
		}
	}
	return nil
}

func (b *bench) measurePeer(ctx context.Context, p sessionPeer) (err error) {
	data, err := os.MkdirTemp(b.scratch, "peer-")
	if err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	server := 0
	if p.begin != nil {
		command, err := p.begin(ctx, b, data, address)
		if err != nil || command == nil {
			return err
		}
		log, err := os.Create(filepath.Join(data, "log"))
		if err != nil {
			return err
		}
		defer log.Close()
		command.Dir, command.Stdout, command.Stderr = data, log, log
		started, err := begin(command)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, started.endFamily()) }()
		if err := started.awaitPort(ctx, address); err != nil {
			text, _ := os.ReadFile(log.Name()) // what there is of it
			return fmt.Errorf("%w\n%s", err, text[max(0, len(text)-2000):])
		}
		server = started.Process.Pid
	}
	return b.runPeerClient(ctx, p, data, address, server, givenUp)
}

// givenUp is how long what a peer is asked to stop, or what has lost its Java, is
// waited for. Livy says after 30 seconds that code has stopped, whether or not.
const givenUp = 25 * time.Second

// runPeerClient measures a peer that listens at an address, with a process of
// which its sessions descend.
func (b *bench) runPeerClient(ctx context.Context, p sessionPeer, data, address string, server int, givenUp time.Duration) error {
	packages, err := b.packages(ctx, p.needs)
	if err != nil {
		return err
	}
	endless := make(map[string]string)
	for _, c := range cancellations {
		endless[c.what] = c.code
	}
	plan, err := json.Marshal(map[string]any{
		"peer": p.name, "address": address, "pid": server, "runs": b.Runs, "trips": tripsARun * b.Runs,
		"settle": b.Period.Seconds(), "given_up": givenUp.Seconds(),
		"code":  map[string]any{"first": codeFirst, "nothing": codeNothing, "count": codeCount, "endless": endless},
		"texts": map[string]string{"start": whatStart, "trip": whatTrip, "cancel": whatCancel, "death": whatDeath, "memory": whatMemory},
	})
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, b.engine.Python.Program, "-c", peerClient, string(plan))
	command.Dir, command.Env = data, append(b.pysparkEnvironment(), "PYTHONPATH="+packages)
	rows := make(map[string]*Row)
	return eachLine(command, func(line []byte) error {
		var told struct {
			What, Unit, Note, Failure string
			Value                     float64
		}
		if err := json.Unmarshal(line, &told); err != nil {
			return err
		}
		switch {
		case told.Note != "":
			b.note("%s", told.Note)
			return nil
		case told.Failure != "":
			b.failed(fmt.Errorf("%s: %s", p.name, told.Failure))
			return nil
		}
		if rows[told.What] == nil {
			rows[told.What] = b.row(p.name, told.What, told.Unit)
		}
		rows[told.What].add(told.Value)
		return nil
	})
}

// eachLine runs a program and handles each line that it writes.
func eachLine(command *exec.Cmd, handle func(line []byte) error) error {
	var complaint bytes.Buffer
	command.Stderr = &complaint
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(out); lines.Scan() && err == nil; {
		err = handle(lines.Bytes())
	}
	if err != nil {
		_ = command.Process.Kill() // or it has ended
	}
	if err := errors.Join(err, command.Wait()); err != nil {
		text := complaint.Bytes()
		return fmt.Errorf("the client: %w\n%s", err, text[max(0, len(text)-2000):])
	}
	return nil
}

// packages gives a directory with packages for the engine's Python, beside what
// it has.
func (b *bench) packages(ctx context.Context, names []string) (string, error) {
	if len(names) == 0 {
		return "", nil
	}
	dir := filepath.Join(b.scratch, "packages-"+strings.ReplaceAll(names[0], "=", "-"))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	for _, name := range names {
		name, version, _ := strings.Cut(name, "==")
		b.report.Versions[name] = version
	}
	pip := append([]string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", dir + ".new"}, names...)
	if out, err := exec.CommandContext(ctx, b.engine.Python.Program, pip...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("install %s: %w\n%s", strings.Join(names, ", "), err, out)
	}
	return dir, os.Rename(dir+".new", dir)
}

// kernelGateway is Jupyter's, with kernels that are the engine's Python. A kernel
// makes its SparkSession before it answers.
func kernelGateway(ctx context.Context, b *bench, data, address string) (*exec.Cmd, error) {
	program, installed := b.peer("Kernel Gateway", "jupyter/bin/jupyter-kernelgateway")
	if !installed {
		return nil, nil
	}
	b.versionIn("jupyter_kernel_gateway", filepath.Join(b.Peers, "jupyter/lib/python3*/site-packages"), ".dist-info")
	packages, err := b.packages(ctx, []string{"ipykernel==7.1.0"})
	if err != nil {
		return nil, err
	}
	kernels, setUp := filepath.Join(data, "kernels", "pyspark"), filepath.Join(data, "set_up.py")
	spec, err := json.Marshal(map[string]any{
		"argv":         []string{b.engine.Python.Program, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--IPKernelApp.exec_files=" + setUp},
		"env":          map[string]string{"PYTHONPATH": packages},
		"display_name": "pyspark", "language": "python",
	})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(kernels, 0o700), os.WriteFile(filepath.Join(kernels, "kernel.json"), spec, 0o600), os.WriteFile(setUp, []byte(plainSession), 0o600)); err != nil {
		return nil, err
	}
	host, port, _ := strings.Cut(address, ":")
	command := exec.Command(program, "--KernelGatewayApp.ip="+host, "--KernelGatewayApp.port="+port, "--KernelGatewayApp.port_retries=0",
		"--JupyterWebsocketPersonality.list_kernels=True")
	command.Env = append(b.pysparkEnvironment(), "JUPYTER_PATH="+data, "JUPYTER_DATA_DIR="+data, "JUPYTER_RUNTIME_DIR="+data, "JUPYTER_CONFIG_DIR="+data, "IPYTHONDIR="+data)
	return command, nil
}

// connectServer is Spark's own, with the engine's jars.
func connectServer(_ context.Context, b *bench, _, address string) (*exec.Cmd, error) {
	for _, jar := range b.engine.ClassPath {
		if !strings.HasPrefix(filepath.Base(jar), "spark-connect_") {
			continue
		}
		_, port, _ := strings.Cut(address, ":")
		command := exec.Command(filepath.Join(b.engine.SparkHome, "bin", "spark-submit"), "--master", "local[2]",
			"--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.driver.extraClassPath="+jar,
			"--conf", "spark.connect.grpc.binding.port="+port,
			"--class", "org.apache.spark.sql.connect.service.SparkConnectServer", jar)
		command.Env = b.pysparkEnvironment()
		return command, nil
	}
	return nil, errors.New("the engine has no jar of Spark Connect")
}

// livy is the distribution that was named.
func livy(_ context.Context, b *bench, data, address string) (*exec.Cmd, error) {
	if b.Livy == "" {
		b.note("Livy is not named with --livy, and not measured")
		return nil, nil
	}
	b.versionIn("livy-server", filepath.Join(b.Livy, "jars"), ".jar")
	host, port, _ := strings.Cut(address, ":")
	settings := fmt.Sprintf("livy.server.host = %s\nlivy.server.port = %s\nlivy.spark.master = local[2]\nlivy.server.session.timeout-check = false\n", host, port)
	client := "livy.rsc.launcher.address = 127.0.0.1\nlivy.rsc.rpc.server.address = 127.0.0.1\n"
	if err := errors.Join(os.WriteFile(filepath.Join(data, "livy.conf"), []byte(settings), 0o600), os.WriteFile(filepath.Join(data, "livy-client.conf"), []byte(client), 0o600)); err != nil {
		return nil, err
	}
	program, err := filepath.Abs(filepath.Join(b.Livy, "bin", "livy-server")) // which is started elsewhere
	if err != nil {
		return nil, err
	}
	command := exec.Command(program)
	command.Env = append(b.pysparkEnvironment(), "LIVY_CONF_DIR="+data, "LIVY_LOG_DIR="+data, "LIVY_PID_DIR="+data)
	return command, nil
}

// endFamily ends a program, and what it has started and left: what descends from
// it, and what is in its group and whose parent has gone, such as the Python of a
// Java that was killed.
func (p *process) endFamily() error {
	leader := p.Process.Pid
	groups, err := processesBy(groupField)
	if err != nil {
		return errors.Join(err, p.end())
	}
	processes, err := family(append(groups[leader], leader)...)
	if err != nil {
		return errors.Join(err, p.end())
	}
	started := make(map[int]float64)
	for _, pid := range processes {
		if pid == leader {
			continue
		}
		if fields := statOf(pid); fields != nil {
			started[pid] = fields[startField]
		}
	}
	err = p.end()
	for pid, at := range started {
		if fields := statOf(pid); fields != nil && fields[startField] == at { // not another process of the number
			err = errors.Join(err, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	return err
}
