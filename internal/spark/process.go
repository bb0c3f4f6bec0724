package spark

import (
	_ "embed"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"hearth"
	"hearth/internal/shim"
)

//go:embed log4j2.properties
var logging []byte

// Names of what Processes puts into a bundle beside what the shim knows.
const (
	propertiesFile = "spark.properties"
	loggingFile    = "log4j2.properties"
)

// libraryPath is where the system looks for native libraries.
var libraryPath = map[bool]string{false: "LD_LIBRARY_PATH", true: "DYLD_LIBRARY_PATH"}[runtime.GOOS == "darwin"]

// inherited are the variables of the server's environment that a driver gets.
// Everything else, its secrets among them, stays with the server.
var inherited = []string{"HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER"}

// moduleOptions are those that Spark's own launcher gives the JVM since 3.5
// (org.apache.spark.launcher.JavaModuleOptions). Java 8 does not know them.
var moduleOptions = []string{
	"--add-opens=java.base/java.lang=ALL-UNNAMED",
	"--add-opens=java.base/java.lang.invoke=ALL-UNNAMED",
	"--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
	"--add-opens=java.base/java.io=ALL-UNNAMED",
	"--add-opens=java.base/java.net=ALL-UNNAMED",
	"--add-opens=java.base/java.nio=ALL-UNNAMED",
	"--add-opens=java.base/java.util=ALL-UNNAMED",
	"--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
	"--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
	"--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
	"--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
	"--add-opens=java.base/sun.nio.cs=ALL-UNNAMED",
	"--add-opens=java.base/sun.security.action=ALL-UNNAMED",
	"--add-opens=java.base/sun.util.calendar=ALL-UNNAMED",
	"--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
	"-Djdk.reflect.useDirectMethodHandle=false",
}

// Processes says which processes are a driver, the Python kernel and its JVM,
// and puts what they read into the bundle. A session's property that Spark
// refuses is not refused here: Spark says itself what is wrong with it, in the
// driver's output. The launch names its working directory. It returns
// KindInvalid for one that is not there and for a table format that the engine
// does not have here, and KindUnavailable when the engine has been damaged.
func (e *Engine) Processes(launch hearth.Launch, bundle string, store Store) (kernel shim.Process, jvm *shim.Process, err error) {
	if !executable(e.Java.Program) {
		return shim.Process{}, nil, hearth.Errorf(hearth.KindUnavailable, "The engine Spark %s has lost its Java, %s. Repair it with %s.", e.Version, e.Java.Program, installCommand(e.Version))
	}
	if err := checkDirectory(launch.WorkingDirectory); err != nil {
		return shim.Process{}, nil, err
	}
	if err := e.checkCatalogs(launch); err != nil {
		return shim.Process{}, nil, err
	}
	settings := e.settings(launch, bundle, store)
	for name, content := range map[string][]byte{propertiesFile: properties(settings), loggingFile: logging} {
		if err := os.WriteFile(filepath.Join(bundle, name), content, 0o600); err != nil {
			return shim.Process{}, nil, hearth.Errorf(hearth.KindUnavailable, "The driver's files cannot be written: %w.", err)
		}
	}
	for _, dir := range []string{shim.TemporaryDir, shim.EventsDir} {
		if err := os.MkdirAll(filepath.Join(bundle, dir), 0o700); err != nil {
			return shim.Process{}, nil, hearth.Errorf(hearth.KindUnavailable, "The driver's files cannot be written: %w.", err)
		}
	}
	env := e.environment(launch, store)
	gateway := filepath.Join(bundle, shim.GatewayFile)
	kernel = shim.Process{
		Argv: []string{e.Python.Program, filepath.Join(bundle, shim.KernelFile)},
		Env:  append(slices.Clone(env), "HEARTH_GATEWAY="+gateway),
		Dir:  launch.WorkingDirectory,
	}
	if modules := e.modules(); len(modules) > 0 {
		kernel.Env = append(kernel.Env, "PYTHONPATH="+strings.Join(modules, string(filepath.ListSeparator)))
	}
	jvm = &shim.Process{
		Argv: e.javaCommand(settings, bundle),
		Env:  append(env, "_PYSPARK_DRIVER_CONN_INFO_PATH="+gateway, "MALLOC_ARENA_MAX=2"),
		Dir:  launch.WorkingDirectory,
	}
	if path := settings["spark.driver.extraLibraryPath"]; path != "" {
		jvm.Env = append(jvm.Env, libraryPath+"="+path) // as Spark's launcher hands it on
	}
	return kernel, jvm, nil
}

// Light says which process is a driver without Spark: the kernel alone. It
// returns KindInvalid for a working directory that is not there.
func (e *Engine) Light(launch hearth.Launch, bundle string, store Store) (shim.Process, error) {
	return shim.Process{
		Argv: []string{e.Python.Program, filepath.Join(bundle, shim.KernelFile)},
		Env:  e.environment(launch, store),
		Dir:  launch.WorkingDirectory,
	}, checkDirectory(launch.WorkingDirectory)
}

// checkDirectory refuses a working directory that the code could not work in.
func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errors.New("it is a file")
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("it does not exist")
	}
	if err != nil {
		return hearth.Errorf(hearth.KindInvalid, "The working directory %s cannot be used on the driver's machine: %w.", dir, err)
	}
	return nil
}

// settings are the session's properties between what it may change and what it
// may not.
func (e *Engine) settings(launch hearth.Launch, bundle string, store Store) map[string]string {
	settings := map[string]string{
		"spark.app.name":                            "hearth-" + launch.SessionID,
		"spark.driver.memory":                       e.heap(),
		"spark.executor.killOnFatalError.depth":     "0", // a task that has no memory fails, and does not end the Java process that is the driver too
		"spark.local.dir":                           filepath.Join(bundle, shim.TemporaryDir),
		"spark.sql.execution.arrow.pyspark.enabled": "true", // as on Athena
		"spark.ui.enabled":                          "true",
		"spark.ui.killEnabled":                      "false", // what runs is stopped where Hearth knows of it
		"spark.ui.port":                             "0",     // a free one
		"spark.ui.showConsoleProgress":              "false", // standard error is the code's own
	}
	if isLocal(launch.Master) {
		settings["spark.driver.host"] = "127.0.0.1"
		settings["spark.driver.bindAddress"] = "127.0.0.1"
	}
	if e.knowsS3() {
		maps.Copy(settings, store.properties(bundle))
		withOwnKey(settings, launch)
	}
	maps.Copy(settings, e.pages(bundle))
	maps.Copy(settings, e.catalog(launch.Properties, bundle))
	formats, instead := e.formatSettings(launch.Properties)
	maps.Copy(settings, formats)
	maps.Copy(settings, launch.Properties)
	maps.Copy(settings, instead)
	settings["spark.master"] = launch.Master
	return settings
}

func isLocal(master string) bool { return strings.HasPrefix(master, "local") }

func (e *Engine) heap() string {
	if e.memory == "" {
		return "1g"
	}
	return e.memory
}

// Inherited is what drivers get of this process's environment.
func Inherited() map[string]string {
	env := make(map[string]string)
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if slices.Contains(inherited, name) || strings.HasPrefix(name, "LC_") {
			env[name] = value
		}
	}
	return env
}

// environment is the whole environment of both processes.
func (e *Engine) environment(launch hearth.Launch, store Store) []string {
	env := map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin"}
	maps.Copy(env, Inherited())
	// What code starts by name is the engine's own.
	env["PATH"] = filepath.Dir(e.Python.Program) + string(filepath.ListSeparator) + env["PATH"]
	env["JAVA_HOME"] = e.Java.Home
	env["SPARK_HOME"] = e.SparkHome
	env["PYSPARK_PYTHON"] = e.Python.Program
	env["PYTHONHASHSEED"] = "0" // workers and driver have to agree where a key goes
	if isLocal(launch.Master) {
		env["SPARK_LOCAL_IP"] = "127.0.0.1" // Spark's web page listens nowhere else
	}
	maps.Copy(env, store.environment())
	var list []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// javaCommand is what Spark's launcher would end in, without the launcher.
func (e *Engine) javaCommand(settings map[string]string, bundle string) []string {
	command := []string{e.Java.Program, "-XX:+IgnoreUnrecognizedVMOptions"}
	if e.Java.feature() > 8 {
		command = append(command, e.line().options...)
	}
	command = append(command, compilerOptions...)
	command = append(command, memoryOptions(settings["spark.driver.memory"], settings["spark.master"])...)
	classPath := e.ClassPath
	if extra := settings["spark.driver.extraClassPath"]; extra != "" {
		// Spark promises to put it in front, where no archive fits.
		classPath = append(filepath.SplitList(extra), classPath...)
	} else if e.Archive.whole() && e.Java.unchanged() {
		command = append(command, archiveOptions(e.Archive.File)...)
	}
	return append(command,
		"-XX:-UsePerfData", // no file outside the bundle, and no counters that wake an idle Java 20 times a second
		"-Djava.io.tmpdir="+filepath.Join(bundle, shim.TemporaryDir),
		"-XX:ErrorFile="+filepath.Join(bundle, "java-crash.log"), // not into the directory that the code works in
		"-Dlog4j2.disableJmx=true",                               // nobody asks it, and it takes a tenth of a second of a start
		"-Dlog4j2.configurationFile=file:"+filepath.Join(bundle, loggingFile),
		"-Dhearth.driver.log="+filepath.Join(bundle, shim.LogFile),
		"-cp", strings.Join(classPath, string(filepath.ListSeparator)),
		"org.apache.spark.deploy.SparkSubmit", "--properties-file", filepath.Join(bundle, propertiesFile), "pyspark-shell",
	)
}

// archiveOptions use an archive. Mapped where it was made for, it needs no
// patching at each start, and drivers share its pages; Java tries another place
// when that one is taken.
func archiveOptions(file string) []string {
	return []string{"-XX:+UnlockDiagnosticVMOptions", "-XX:ArchiveRelocationMode=0", "-Xshare:auto", "-XX:SharedArchiveFile=" + file}
}

// compilerOptions have the optimizing compiler wait until code has run ten times
// as often as by default. Of a start it compiles far less then, which otherwise
// is a seventh of the work. The loops of a query get there in milliseconds.
var compilerOptions = []string{
	"-XX:Tier4InvocationThreshold=50000", "-XX:Tier4MinInvocationThreshold=6000",
	"-XX:Tier4CompileThreshold=150000", "-XX:Tier4BackEdgeThreshold=400000",
}

// oneThread are the masters with which one thread that collects keeps up.
var oneThread = []string{"local", "local[1]", "local[2]"}

// memoryOptions size the heap and choose its collector. A heap that begins small
// leaves a driver that has little to do with little; one that has become large
// shrinks when the kernel asks for a collection. The serial collector starts with
// less work than the parallel one, needs less memory for itself, and gives back
// all that it does not use, where the parallel one keeps what new objects had.
func memoryOptions(heap, master string) []string {
	options := []string{"-Xms64m", "-Xmx" + javaSize(heap)}
	if slices.Contains(oneThread, master) {
		return append(options, "-XX:+UseSerialGC", "-XX:-ShrinkHeapInSteps")
	}
	return append(options, "-XX:+UseParallelGC", "-XX:+UseAdaptiveSizePolicyWithSystemGC")
}

// javaSize turns a size as Spark writes it, 512 (megabytes), 512mb, 2g, into
// Java's way. What is no size stays as it is: Java says so itself.
func javaSize(size string) string {
	text := strings.ToLower(strings.TrimSpace(size))
	number := strings.TrimRight(text, "bkmgtp")
	if _, err := strconv.ParseUint(number, 10, 63); err != nil {
		return size
	}
	switch unit := text[len(number):]; unit {
	case "":
		return number + "m"
	case "b":
		return number
	default:
		return number + strings.TrimSuffix(unit, "b")
	}
}
