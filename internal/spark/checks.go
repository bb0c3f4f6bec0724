package spark

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"hearth"
)

// Check is one thing that engines need, as it was found.
type Check struct {
	Name   string // what was looked at
	OK     bool
	Detail string // what was found
	Remedy string // what to do about it; "" when there is nothing to do
}

// Checks looks at what drivers of an engine need, or, while it is not installed,
// at what its installation needs.
func (e Engines) Checks(ctx context.Context, version string) []Check {
	engine, err := e.Find(version)
	if err != nil {
		return []Check{
			{Name: "engine", Detail: hearth.MessageOf(err), Remedy: "Run " + installCommand(version) + "; the server's next start does it too."},
			e.checkBasePython(ctx, version),
			e.checkAnyJava(ctx, version),
			e.checkDisk(version),
			e.checkIndex(ctx, version),
		}
	}
	return []Check{
		{Name: "engine", OK: true, Detail: fmt.Sprintf("Spark %s in %s", engine.Version, e.dir(engine.Version))},
		engine.checkPython(ctx),
		engine.checkJava(ctx),
		engine.checkArchive(),
		e.checkJars(engine),
	}
}

func repairing(version string) string {
	return "Repair the engine: remove its directory and run " + installCommand(version) + "."
}

func (e *Engine) checkPython(ctx context.Context) Check {
	found, err := probePython(ctx, e.Python.Program)
	if err != nil {
		return Check{Name: "python", Detail: fmt.Sprintf("%s does not run: %v", e.Python.Program, err), Remedy: repairing(e.Version)}
	}
	return Check{Name: "python", OK: true, Detail: fmt.Sprintf("Python %s, %s", found.Version, found.Program)}
}

func (e *Engine) checkJava(ctx context.Context) Check {
	found, err := probeJava(ctx, e.Java.Program)
	if err == nil {
		err = e.line().checkJava(found)
	}
	if err != nil {
		return Check{Name: "java", Detail: err.Error(), Remedy: javaRemedy + ". Then run " + installCommand(e.Version) + "."}
	}
	return Check{Name: "java", OK: true, Detail: fmt.Sprintf("Java %s, %s", found.Version, found.Program)}
}

func (e *Engine) checkArchive() Check {
	c := Check{Name: "class archive", Remedy: "Drivers work and start slower. " + installCommand(e.Version) + " makes it again."}
	switch {
	case e.Archive.File == "":
		c.Detail = "none: " + e.Archive.Problem
		c.Remedy = "Drivers work and start slower."
	case !e.Java.unchanged():
		c.Detail = "made for another build of Java than the one that is there now"
	case !e.Archive.whole():
		c.Detail = e.Archive.File + " is gone, or there only in part"
	case e.Edition < edition:
		c.Detail = "made by an earlier Hearth"
	default:
		return Check{Name: c.Name, OK: true, Detail: fmt.Sprintf("%s, %s", e.Archive.File, humanize.Bytes(uint64(e.Archive.Size)))}
	}
	return c
}

func (e Engines) checkJars(engine *Engine) Check {
	if missing := e.missingJars(engine); len(missing) > 0 {
		return Check{
			Name: "S3", Detail: "the engine lacks " + strings.Join(missing, ", "),
			Remedy: "Sessions work, but Spark cannot read or write s3://. " + installCommand(engine.Version) + " repairs it; it needs a Maven repository (maven_url).",
		}
	}
	if file := checkSums(e.jarsDir(engine.Version), e.line(engine.Version).jars); file != "" {
		return Check{Name: "S3", Detail: file + " is not what it should be", Remedy: repairing(engine.Version)}
	}
	return Check{Name: "S3", OK: true, Detail: fmt.Sprintf("%d jars in %s", len(e.addedJars(engine.Version)), e.jarsDir(engine.Version))}
}

// CheckFormat looks at what drivers of an engine need for the tables of a format.
func (e Engines) CheckFormat(version string, name hearth.TableFormat) Check {
	c := Check{Name: string(name)}
	engine, err := e.Find(version)
	if err == nil {
		_, err = e.With(engine, []hearth.TableFormat{name})
	}
	dir, f := e.jarsDir(version), e.line(version).these([]hearth.TableFormat{name})[0]
	switch damaged := checkSums(dir, f.jars); {
	case err != nil:
		c.Detail, c.Remedy = hearth.MessageOf(err), "Until then sessions of the workgroups that have it cannot start; others can. The server's next start gets what is missing, too."
	case damaged != "":
		c.Detail, c.Remedy = damaged+" is not what it should be", fmt.Sprintf("`hearth engines install %s --with %s` gets it again.", version, name)
	default:
		c.OK, c.Detail = true, f.title+" in "+dir
	}
	return c
}

func (e Engines) checkBasePython(ctx context.Context, version string) Check {
	found, err := e.line(version).findPython(ctx, e.Python, pythonDirs())
	if err != nil {
		return Check{Name: "python", Detail: hearth.MessageOf(err), Remedy: pythonRemedy + "."}
	}
	return Check{Name: "python", OK: true, Detail: fmt.Sprintf("Python %s, %s", found.Version, found.Program)}
}

func (e Engines) checkAnyJava(ctx context.Context, version string) Check {
	found, refused, ok, err := e.line(version).findJava(ctx, e.Java, javaPrograms())
	switch {
	case err != nil:
		return Check{Name: "java", Detail: hearth.MessageOf(err), Remedy: javaRemedy + "."}
	case !ok:
		return Check{Name: "java", OK: true, Detail: "none that Spark can run on" + because(refused) + "; the engine brings one along"}
	}
	return Check{Name: "java", OK: true, Detail: fmt.Sprintf("Java %s, %s", found.Version, found.Program)}
}

func (e Engines) checkDisk(version string) Check {
	needed := e.line(version).space
	free, err := freeSpace(e.Dir)
	switch {
	case err != nil:
		return Check{Name: "disk", Detail: hearth.MessageOf(err), Remedy: "Name another directory in HEARTH_ENGINES."}
	case free < needed:
		return Check{
			Name:   "disk",
			Detail: fmt.Sprintf("%s free for %s, and an installation needs %s", humanize.Bytes(free), e.Dir, humanize.Bytes(needed)),
			Remedy: "Free some space, or put the engines on another disk with HEARTH_ENGINES.",
		}
	}
	return Check{Name: "disk", OK: true, Detail: fmt.Sprintf("%s free for %s", humanize.Bytes(free), e.Dir)}
}

// indexPatience is how long an index may take to answer one question.
const indexPatience = 20 * time.Second

// checkIndex lets pip ask the index for Spark's versions, since only pip knows
// how the user reaches it.
func (e Engines) checkIndex(ctx context.Context, version string) Check {
	c := Check{Name: "package index"}
	python, err := e.line(version).findPython(ctx, e.Python, pythonDirs())
	if err != nil {
		c.Detail, c.Remedy = "not asked, for want of a Python", pythonRemedy+"."
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, indexPatience)
	defer cancel()
	args := []string{"-m", "pip", "index", "versions", "--disable-pip-version-check", "--no-input", "--retries", "0", "--timeout", "10", "pyspark"}
	if e.Index != "" {
		args = append(args, "--index-url", e.Index)
	}
	cmd := exec.CommandContext(ctx, python.Program, args...)
	asGroup(cmd)
	out, err := cmd.CombinedOutput()
	said := string(out)
	switch {
	case err == nil && strings.Contains(said, version):
		c.OK, c.Detail = true, "it has Spark "+version
	case err == nil:
		c.Detail, c.Remedy = "it does not have Spark "+version, "Name another index in PIP_INDEX_URL."
	case strings.Contains(said, "No module named pip"):
		c.OK, c.Detail = true, "not asked: this Python has no pip of its own; the engine gets one"
	default:
		c.Detail = lastLines(said, 1)
		c.Remedy = "Check the network; behind a firewall name a mirror in PIP_INDEX_URL, or a proxy in HTTPS_PROXY."
	}
	return c
}
