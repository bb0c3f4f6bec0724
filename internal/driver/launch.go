package driver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
	"hearth/internal/kernel"
	"hearth/internal/shim"
)

// Launch starts a driver: the intent goes to disk, then a shim is started on
// it, which makes its own record. Launching an id again gives the driver that
// is, or was, launched under it, which is claimed if it was launched ahead.
func (d *Drivers) Launch(ctx context.Context, launch hearth.Launch) (hearth.Driver, error) {
	defer d.launching.lock(launch.SessionID)()
	bundle, err := d.bundle(launch.SessionID)
	if err != nil {
		return nil, err
	}
	if launch.Warm == nil {
		if claimed, err := d.claim(ctx, launch, bundle); claimed != nil || err != nil {
			return claimed, err
		}
	}
	found, adoption, err := d.recover(ctx, launch.SessionID)
	if err != nil || adoption != hearth.NeverLaunched {
		return found, err
	}
	begun := time.Now()
	intent, err := d.intend(ctx, launch, bundle)
	if err != nil {
		return nil, err
	}
	started := d.driver(launch.SessionID, bundle, intent.Token)
	if err := d.startShim(ctx, launch.SessionID, bundle); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		// The shim of a server that was killed meanwhile may have been quicker, and
		// may have ended by now.
		if found, adoption, lost := d.recover(ctx, launch.SessionID); lost == nil && adoption != hearth.NeverLaunched {
			return found, nil
		}
		_ = started.clear() // why it did not start counts for more
		return nil, err
	}
	d.config.Log.Info("driver launched", "session", launch.SessionID, "warm", launch.Warm != nil, "took", time.Since(begun))
	return started, nil
}

// intend makes the bundle. It is on disk when it returns.
func (d *Drivers) intend(ctx context.Context, launch hearth.Launch, bundle string) (shim.Launch, error) {
	cannot := func(err error) error {
		return &hearth.Error{
			Kind: hearth.KindUnavailable, Err: err,
			Message: fmt.Sprintf("The files of the driver of session %s cannot be written: %s. The server's data directory needs room, and has to be the server's to write.", launch.SessionID, placeless(err.Error(), bundle)),
		}
	}
	begun := shim.Seconds(time.Now())
	if launch.WorkingDirectory == "" {
		launch.WorkingDirectory = filepath.Join(bundle, shim.WorkDir)
	}
	err := errors.Join(
		os.MkdirAll(filepath.Join(bundle, shim.WorkDir), 0o700),
		os.RemoveAll(filepath.Join(bundle, shim.GatewayFile)), // of a launch that never finished
	)
	if err == nil {
		err = kernel.Write(bundle, known(launch))
	}
	if err != nil {
		return shim.Launch{}, cannot(err)
	}
	python, jvm, err := d.config.Prepare(ctx, launch, bundle)
	if err != nil {
		return shim.Launch{}, err
	}
	for _, p := range []*shim.Process{&python, jvm} {
		if p != nil && p.Dir == "" {
			p.Dir = launch.WorkingDirectory
		}
	}
	intent := shim.Launch{
		Protocol: shim.Protocol, Session: launch.SessionID, Token: token(bundle), At: begun,
		Kernel: python, JVM: jvm, Catalog: d.config.Catalog,
		IdleTimeoutMS:       launch.IdleTimeout.Milliseconds(),
		StartTimeoutMS:      d.config.StartTimeout.Milliseconds(),
		EndGraceMS:          d.config.EndGrace.Milliseconds(),
		CancelDeadlineMS:    d.config.CancelDeadline.Milliseconds(),
		HeartbeatMS:         d.config.Heartbeat.Milliseconds(),
		UnresponsiveAfterMS: d.config.UnresponsiveAfter.Milliseconds(),
		LostAfterMS:         d.config.LostAfter.Milliseconds(),
	}
	if d.config.LimitMemory {
		intent.MemoryLimit = launch.Memory
	}
	if launch.Warm != nil {
		intent.Warm = &shim.Warm{Key: launch.Warm.Key, AgeMS: launch.Warm.Age.Milliseconds()}
		intent.Kernel.Env = append(intent.Kernel.Env, kernel.WarmVariable+"=1")
	}
	faultpoint.At("launch", "to be intended")
	if err := errors.Join(shim.Save(bundle, shim.LaunchFile, intent), shim.SyncDir(d.config.Dir)); err != nil {
		return shim.Launch{}, cannot(err)
	}
	faultpoint.At("launch", "intended")
	return intent, nil
}

// placeless takes where a bundle is out of a reason: it does not concern whoever
// reads that.
func placeless(reason, bundle string) string {
	return strings.ReplaceAll(reason, bundle+string(filepath.Separator), "")
}

// known is what the launch has the driver know of its session.
func known(launch hearth.Launch) kernel.Session {
	session := kernel.Session{
		ID: launch.SessionID, WorkGroup: launch.WorkGroup, Engine: launch.Engine,
		StartedAt: shim.Seconds(launch.StartedAt), NotebookID: launch.NotebookID,
		Earlier: []kernel.EarlierSession{},
	}
	for _, e := range launch.Earlier {
		session.Earlier = append(session.Earlier, kernel.EarlierSession{
			ID: e.ID, State: string(e.State), StartedAt: shim.Seconds(e.StartedAt), EndedAt: shim.Seconds(e.EndedAt),
		})
	}
	return session
}

// token gives the driver's secret: the one of an earlier try, so that a shim
// that is only late knows its server.
func token(bundle string) string {
	var before shim.Launch
	if found, err := shim.Load(bundle, shim.LaunchFile, &before); err == nil && found {
		return before.Token
	}
	var secret [32]byte
	rand.Read(secret[:]) // never fails; see crypto/rand
	return hex.EncodeToString(secret[:])
}

// startShim returns when the shim serves. The shim is in a session of its own
// and has nothing from the server but the bundle's path: not its environment,
// not its terminal, not its directory.
func (d *Drivers) startShim(ctx context.Context, sessionID, bundle string) error {
	cannot := func(reason string) error {
		return hearth.Errorf(hearth.KindUnavailable, "The driver of session %s could not be started: %s", sessionID, placeless(reason, bundle))
	}
	log, err := os.OpenFile(filepath.Join(bundle, shim.LogFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return cannot(err.Error())
	}
	defer log.Close()
	said, says, err := os.Pipe()
	if err != nil {
		return cannot(err.Error())
	}
	defer said.Close()
	argv := append(append([]string{}, d.config.Shim...), bundle)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = says, log
	shim.Detach(cmd)
	err = errors.Join(cmd.Start(), says.Close())
	if err != nil {
		return cannot(err.Error())
	}
	faultpoint.At("shim", "started")
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // or it would stay a zombie as long as the server lives

	if err := said.SetReadDeadline(time.Now().Add(d.config.LostAfter)); err != nil {
		return cannot(err.Error())
	}
	defer context.AfterFunc(ctx, func() { _ = said.SetReadDeadline(time.Now()) })()
	var started shim.Started
	if err := json.NewDecoder(said).Decode(&started); err != nil {
		if ctx.Err() != nil {
			return ctx.Err() // the shim goes on: a second launch finds it
		}
		if errors.Is(err, os.ErrDeadlineExceeded) { // it was stopped, or hangs
			err := errors.Join(cmd.Process.Kill(), <-ended)
			d.config.Log.Warn("a shim was killed, because it did not get ready", "session", sessionID, "error", err)
			return cannot(fmt.Sprintf("its shim has not answered for %v and was killed", d.config.LostAfter))
		}
		return cannot(lastLine(bundle, <-ended))
	}
	faultpoint.At("shim", "answered")
	if started.Error != "" {
		<-ended
		return cannot(started.Error)
	}
	return nil
}

// lastLine is for a shim that ended without a word: its log may have one.
func lastLine(bundle string, ended error) string {
	reason := "its shim ended at once"
	if ended != nil {
		reason += " (" + ended.Error() + ")"
	}
	log := strings.TrimSpace(shim.LogTail(bundle))
	if last := log[strings.LastIndexByte(log, '\n')+1:]; last != "" {
		reason += ": " + last
	}
	return reason
}
