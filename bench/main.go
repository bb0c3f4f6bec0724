// Bench measures Hearth beside its neighbours, in one run on one machine:
//
//	go run ./bench [--runs N] [--seconds S] [--json FILE]
//
// It builds the hearth binary and serves a scratch directory, runs plain
// pyspark from the same engine, installs moto with pip, and runs a bare
// net/http handler. Ratios within one run are what to read: the seconds belong
// to the machine. Everything it starts listens on loopback and is ended.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"text/tabwriter"
	"time"

	"hearth/internal/spark"
)

// options say how long to measure.
type options struct {
	runs    int           // cold starts of each kind
	trips   int           // round trips of each kind
	seconds time.Duration // of polling, per server
	clients int           // connections that poll at once
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "bare-server" {
		if err := serveBare(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.IntVar(&o.runs, "runs", 3, "cold starts of each kind")
	flag.IntVar(&o.trips, "trips", 50, "round trips of each kind")
	flag.DurationVar(&o.seconds, "seconds", 5*time.Second, "time of polling, per server")
	flag.IntVar(&o.clients, "clients", 8, "connections that poll at once")
	objects := flag.Bool("objects", false, "measure the S3 API alone")
	file := flag.String("json", "", "also write the figures to this file")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, *objects, *file); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, objects bool, file string) error {
	b, err := setUp(ctx)
	if err != nil {
		return err
	}
	defer b.tearDown()

	measures := []func(context.Context, options) ([]figure, error){b.disk, b.coldStarts, b.roundTrips, b.polls, b.objects}
	if objects {
		measures = []func(context.Context, options) ([]figure, error){b.disk, b.objects}
	}
	var figures []figure
	for _, measure := range measures {
		more, err := measure(ctx, o)
		if err != nil {
			return err
		}
		figures = append(figures, more...)
	}
	print(figures)
	if file == "" {
		return nil
	}
	text, err := json.MarshalIndent(map[string]any{
		"at": time.Now().UTC().Format(time.RFC3339), "cores": runtime.NumCPU(), "go": runtime.Version(),
		"spark": spark.DefaultVersion, "figures": figures,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

func print(figures []figure) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tMIN\tMEDIAN\tMAX\tUNIT\tRATIO")
	for _, f := range figures {
		ratio := ""
		if f.Ratio != 0 {
			ratio = fmt.Sprintf("%.2f × %s", f.Ratio, f.Of)
		}
		fmt.Fprintf(w, "%s\t%.4g\t%.4g\t%.4g\t%s\t%s\n", f.What, f.Min, f.Median, f.Max, f.Unit, ratio)
	}
	w.Flush()
}
