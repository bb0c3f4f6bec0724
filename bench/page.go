package bench

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

//go:generate go run ./gen ../docs/benchmarks.md ../docs/benchmarks.json ../docs/benchmarks-long.json

// What encloses the results of a run in a page of Markdown.
const (
	resultsBegin = "<!-- made of %s by go generate -->\n"
	resultsEnd   = "<!-- end -->\n"
)

// Page gives a page of Markdown with this run in the place of the one that it had
// of the same raw figures.
func (r *Report) Page(page []byte, raw string) ([]byte, error) {
	begin := fmt.Sprintf(resultsBegin, raw)
	before, rest, begins := bytes.Cut(page, []byte(begin))
	_, after, ends := bytes.Cut(rest, []byte(resultsEnd))
	if !begins || !ends {
		return nil, fmt.Errorf("the page does not say where the results of %s are", raw)
	}
	return slices.Concat(before, []byte(begin+r.markdown()+resultsEnd), after), nil
}

// markdown is the report as Print has it, with how busy the machine was.
func (r *Report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "`%s`, begun %s. %s, %d cores (%s), %d MiB, Linux %s.", r.Command, r.Began.UTC().Format(time.DateTime), r.Machine.System, r.Machine.Cores, r.Machine.Processor, r.Machine.MemoryMiB, r.Machine.Kernel)
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		fmt.Fprintf(&b, " %s %s.", name, r.Versions[name])
	}
	b.WriteString("\n\n| figure | what | ratio | min | median | max | unit | goal | load |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "| `%s` | %s: %s | %s | %s | %s | %s | %s | %s | %s |\n", row.Figure, row.Who, strings.ReplaceAll(row.What, "|", `\|`), row.ratios(),
			short(row.Min), short(row.Median), short(row.Max), row.Unit, row.Goal, short(row.load()))
	}
	b.WriteString("\n")
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "- %s\n", note)
	}
	return b.String()
}
