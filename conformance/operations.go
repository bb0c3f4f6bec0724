package conformance

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	_ "modernc.org/sqlite"

	"hearth/internal/testenv"
)

// faults are done to a server of its own, after which every operation answers
// with the one error.
var faults = []struct {
	error string
	serve func(*Client) *Client
}{
	{internalServer, storeless},
	{tooManyRequests, throttled},
}

// unseen says why an error that an operation declares cannot be provoked; ""
// is that it can.
func unseen(operation, err string) string {
	switch err {
	case resourceNotFound:
		return "never sent: clients take InvalidRequestException for what does not exist"
	case internalServer:
		if slices.Contains([]string{"ListApplicationDPUSizes", "ListEngineVersions"}, operation) {
			return "it reads nothing that could fail"
		}
	}
	return ""
}

// operations has each client call each operation: to its success, and to every
// error that it declares and that can be provoked. What came is a table in
// docs/compatibility.md.
func operations(t *testing.T, c *Client) {
	model := readModel(t)
	server := c.Serve("")
	served := model.served(server)

	seen := make(sightings)
	faulty := make(map[string]*Client)
	for _, fault := range faults {
		faulty[fault.error] = fault.serve(c)
	}
	t.Run("clients", func(t *testing.T) {
		for _, with := range callers {
			t.Run(with.name, func(t *testing.T) {
				t.Parallel()
				life := &life{t: t, client: server.In(t), caller: with.dial(server.In(t)), brief: with.brief, names: map[string]string{
					"group": "operations-" + with.key,
					"arn":   "arn:aws:athena:us-east-1:123456789012:workgroup/operations-" + with.key,
				}}
				for _, probe := range probes {
					if slices.Contains(served, probe.operation) && life.probe(probe) {
						seen.add(probe.operation, with.name, probe.wants())
					}
				}
				for _, probe := range refusedByName {
					if !slices.Contains(served, probe.operation) {
						life.probe(probe)
					}
				}
				for _, fault := range faults {
					life.caller, life.names = with.dial(faulty[fault.error].In(t)), nil
					for _, operation := range served {
						declared := slices.Contains(model.Operations[operation].errors(), fault.error)
						if declared && unseen(operation, fault.error) == "" && life.probe(model.spoilt(operation, fault.error)) {
							seen.add(operation, with.name, fault.error)
						}
					}
				}
			})
		}
	})
	for _, operation := range served {
		seen.check(t, operation, model.Operations[operation].errors())
	}
	testenv.Printed(t, filepath.Join("..", "docs", "compatibility.md"), "operations", model.table(served, seen))
}

// refusedByName are operations that are known and may not be served.
var refusedByName = []probe{
	{operation: "StartQueryExecution", input: `{"QueryString":"SELECT 1"}`, because: "it is not served", says: "StartQueryExecution is not served by Hearth."},
	{operation: "ListDataCatalogs", input: `{}`, because: "it is not served", says: "ListDataCatalogs is not served by Hearth."},
}

// storeless is a server whose tables somebody has renamed.
func storeless(c *Client) *Client {
	c, t := c.Serve(""), c.T
	store := Must(sql.Open("sqlite", filepath.Join(c.Home, "hearth.db")))(t)
	defer store.Close()
	rows := Must(store.Query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"))(t)
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	for _, name := range tables {
		Must(store.Exec(fmt.Sprintf("ALTER TABLE %q RENAME TO %q", name, name+"_away")))(t)
	}
	return c
}

// throttled is a server that answers one call of each operation, which has been
// made.
func throttled(c *Client) *Client {
	c = c.Serve("[throttle]\nrate = 1e-9\nerror = \"TooManyRequestsException\"\n")
	readModel(c.T).served(c)
	return c
}

// life is one client's with one server.
type life struct {
	t      *testing.T
	client *Client // looks on, and waits
	caller caller
	brief  bool
	names  map[string]string
}

// probe makes a call and reports whether its answer was the right one.
func (l *life) probe(p probe) bool {
	l.t.Helper()
	if p.once != "" {
		l.client.AwaitSession(l.names["session"], p.once)
	}
	got := l.caller.call(p.operation, json.RawMessage(l.fill(p.input)))
	var wrong []string
	expect := func(what string, got, want any) {
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", what, got, want))
		}
	}
	expect("error", got.Error, p.wants())
	if got.Error != "" {
		expect("typed", got.Typed, true)
		if says := l.fill(p.says); !strings.Contains(got.Message, says) || got.Message == "" {
			wrong = append(wrong, fmt.Sprintf("message is without %q", says))
		}
	}
	if got.Error != "" && !l.brief {
		status, code := 400, ""
		switch got.Error {
		case internalServer:
			status = 500
		case invalidRequest:
			if code = p.code; code == "" {
				code = "INVALID_INPUT"
			}
		}
		expect("status", got.Status, status)
		expect("AthenaErrorCode", got.AthenaErrorCode, code)
	}
	if len(wrong) > 0 {
		l.t.Errorf("%s, %s: %s\n%+v", p.operation, p.because, strings.Join(wrong, "; "), got)
		return false
	}
	for name, member := range p.keep {
		l.names[name], _ = got.Answer[member].(string)
	}
	return true
}

// fill puts names into a text.
func (l *life) fill(text string) string {
	return os.Expand(text, func(name string) string {
		if value := l.names[name]; value != "" {
			return value
		}
		if name == "arn" {
			return "arn:aws:athena:us-east-1:123456789012:workgroup/primary"
		}
		return unknownID
	})
}

// model is what Athena's model says of operations.
type model struct {
	Operations      map[string]modelled
	OtherOperations []string
}

type modelled struct {
	Errors []struct{ Shape string }
}

func (m modelled) errors() []string {
	var names []string
	for _, err := range m.Errors {
		names = append(names, err.Shape)
	}
	return names
}

func readModel(t *testing.T) (m model) {
	t.Helper()
	if err := json.Unmarshal(Must(os.ReadFile("../internal/athena/model.json"))(t), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// served asks the server which operations it serves: a body that is no object
// is refused by these, and all others are refused whatever the body is.
func (m model) served(c *Client) []string {
	c.T.Helper()
	var served []string
	names := slices.Clone(m.OtherOperations)
	for name := range m.Operations {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		answer := c.send(c.signed(name, []byte(`null`)))
		Same(c.T, "status", answer.status, 400)
		if answer.errorType == "SerializationException" {
			served = append(served, name)
			continue
		}
		Same(c.T, "__type", answer.errorType, invalidRequest)
		Same(c.T, "Message", answer.message, name+" is not served by Hearth.")
	}
	return served
}

// spoilt is a call that would succeed but for a fault of the server.
func (m model) spoilt(operation, fault string) probe {
	at := slices.IndexFunc(probes, func(p probe) bool { return p.operation == operation && p.wants() == "" })
	if at < 0 {
		return probe{operation: operation, input: `{}`}
	}
	return probe{operation: operation, input: probes[at].input, because: "a fault of the server", fails: fault}
}

// sightings are what clients have seen of operations: names of errors, and ""
// for success.
type sightings map[string]map[string][]string

var sighting sync.Mutex

func (s sightings) add(operation, client, what string) {
	sighting.Lock()
	defer sighting.Unlock()
	if s[operation] == nil {
		s[operation] = make(map[string][]string)
	}
	if !slices.Contains(s[operation][client], what) {
		s[operation][client] = append(s[operation][client], what)
	}
}

// check demands that every client has seen an operation succeed and fail in
// each way that it declares and that can be provoked, and in no other.
func (s sightings) check(t *testing.T, operation string, declared []string) {
	t.Helper()
	want := []string{""}
	for _, err := range declared {
		if unseen(operation, err) == "" {
			want = append(want, err)
		}
	}
	slices.Sort(want)
	for _, client := range callers {
		got := slices.Sorted(slices.Values(s[operation][client.name]))
		if !slices.Equal(got, want) {
			t.Errorf("%s with %s: seen are %q, want %q", operation, client.name, got, want)
		}
	}
}

// letters stand for errors in the table, in this order.
var letters = []struct{ letter, error string }{
	{"✓", ""}, {"I", invalidRequest}, {"S", internalServer}, {"T", tooManyRequests}, {"E", sessionExists}, {"R", resourceNotFound},
}

func spell(errors []string) string {
	var text []string
	for _, l := range letters {
		if slices.Contains(errors, l.error) {
			text = append(text, l.letter)
		}
	}
	return strings.Join(text, " ")
}

// table is what the document shows.
func (m model) table(served []string, seen sightings) string {
	var b strings.Builder
	b.WriteString("| operation |")
	for _, client := range callers {
		b.WriteString(" " + client.name + " |")
	}
	b.WriteString(" declared, not sent | refused (I) |\n|" + strings.Repeat(" --- |", len(callers)+3) + "\n")
	for _, operation := range served {
		fmt.Fprintf(&b, "| %s |", operation)
		for _, client := range callers {
			fmt.Fprintf(&b, " %s |", spell(seen[operation][client.name]))
		}
		var never, refused []string
		for _, err := range m.Operations[operation].errors() {
			if unseen(operation, err) != "" {
				never = append(never, err)
			}
		}
		for _, probe := range probes {
			if probe.operation == operation && probe.wants() == invalidRequest {
				refused = append(refused, probe.because)
			}
		}
		fmt.Fprintf(&b, " %s | %s |\n", spell(never), strings.Join(refused, "; "))
	}
	return b.String()
}
