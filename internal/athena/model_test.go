package athena_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hearth"
)

// apiModel is model.json, from which these tests draw requests.
type apiModel struct {
	Operations map[string]struct {
		Input struct{ Shape string }
	}
	OtherOperations []string
	Shapes          map[string]struct {
		Type               string
		Required           []string
		Members            map[string]struct{ Shape string }
		Member, Key, Value struct{ Shape string }
		Min, Max           *int
		Pattern            string
		Enum               []string
	}

	served []string // operations that are not refused
}

func readModel(t *testing.T) *apiModel {
	t.Helper()
	data, err := os.ReadFile("model.json")
	if err != nil {
		t.Fatal(err)
	}
	m := new(apiModel)
	if err := json.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Operations)) {
		if w := call(handler(full(), new(bytes.Buffer)), name, "{}"); !strings.Contains(w.Body.String(), "is not served") {
			m.served = append(m.served, name)
		}
	}
	return m
}

// drawable has expressions to draw from for patterns that Go cannot parse.
var drawable = map[string]string{
	`[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*`:             `[ -~é世😀\t]*`,
	`(?!.*[/:\\])[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]+`: `[ -.0-9;-Z^-~é世😀\t]+`,
	`^[0-9]+$`: `^[0-9]{12}$`, // of an account's id, which is that long
}

// draw makes a value that satisfies a shape.
func (m *apiModel) draw(t *rapid.T, name string) any {
	shape := m.Shapes[name]
	limit := func(p *int, otherwise int) int {
		if p == nil {
			return otherwise
		}
		return *p
	}
	switch shape.Type {
	case "structure":
		members := make(map[string]any)
		for _, member := range slices.Sorted(maps.Keys(shape.Members)) {
			if slices.Contains(shape.Required, member) || rapid.Bool().Draw(t, member+"?") {
				members[member] = m.draw(t, shape.Members[member].Shape)
			}
		}
		return members
	case "list":
		items := []any{}
		for range rapid.IntRange(0, 2).Draw(t, name) {
			items = append(items, m.draw(t, shape.Member.Shape))
		}
		return items
	case "map":
		entries := make(map[string]any)
		for range rapid.IntRange(0, 2).Draw(t, name) {
			entries[m.draw(t, shape.Key.Shape).(string)] = m.draw(t, shape.Value.Shape)
		}
		return entries
	case "boolean":
		return rapid.Bool().Draw(t, name)
	case "integer", "long":
		least := limit(shape.Min, 0)
		return rapid.IntRange(least, limit(shape.Max, least+1<<20)).Draw(t, name)
	case "string":
		if shape.Enum != nil {
			return rapid.SampledFrom(shape.Enum).Draw(t, name)
		}
		least, most := limit(shape.Min, 0), limit(shape.Max, 200)
		if shape.Pattern == "" {
			return rapid.StringN(least, min(most, least+20), -1).Draw(t, name)
		}
		pattern := shape.Pattern
		if other, known := drawable[pattern]; known {
			pattern = other
		}
		fits := regexp.MustCompile(`^(?:` + pattern + `)$`)
		return rapid.StringMatching(pattern).Filter(func(s string) bool {
			n := len([]rune(s))
			return n >= least && n <= most && fits.MatchString(s)
		}).Draw(t, name)
	}
	t.Fatalf("shape %s has the type %s", name, shape.Type)
	return nil
}

// spoil changes one value somewhere to one of another type, or out of bounds.
func spoil(t *rapid.T, value any) any {
	switch v := value.(type) {
	case map[string]any:
		if len(v) > 0 && rapid.Bool().Draw(t, "deeper") {
			member := rapid.SampledFrom(slices.Sorted(maps.Keys(v))).Draw(t, "spoiled")
			v[member] = spoil(t, v[member])
			return v
		}
	case []any:
		if len(v) > 0 && rapid.Bool().Draw(t, "deeper") {
			i := rapid.IntRange(0, len(v)-1).Draw(t, "spoiled item")
			v[i] = spoil(t, v[i])
			return v
		}
	}
	return rapid.SampledFrom([]any{
		nil, "", "x", strings.Repeat("é", 1025), strings.Repeat("x", 70000), "\x00", "a b",
		0, -1, 1.5, 1e300, 999999, true, false,
		[]any{},
		[]any{nil},
		[]any{map[string]any{}},
		map[string]any{},
		map[string]any{"": nil},
		map[string]any{"": ""},
	}).Draw(t, "bad value")
}

func draw(t *rapid.T, m *apiModel) (operation string, input map[string]any) {
	operation = rapid.SampledFrom(m.served).Draw(t, "operation")
	return operation, m.draw(t, m.Operations[operation].Input.Shape).(map[string]any)
}

// isAnswer tells a body: an answer without members has none.
func isAnswer(body []byte) bool { return len(body) == 0 || json.Valid(body) }

func TestModel_ValidRequestsAreTaken(t *testing.T) {
	m := readModel(t)
	rapid.Check(t, func(t *rapid.T) {
		operation, input := draw(t, m)
		if operation == "StartCalculationExecution" { // exactly one of its two code members has to be there, which no model can say
			delete(input, "CalculationConfiguration")
			input["CodeBlock"] = "1"
		}
		switch operation {
		case "ListEngineVersions", "ListExecutors", "ListApplicationDPUSizes", "ListNotebookSessions", "ListTagsForResource": // their tokens are checked by the front door
			delete(input, "NextToken")
		}
		body, err := json.Marshal(input)
		if err != nil {
			t.Fatal(err)
		}
		f := full()
		f.session.State = hearth.SessionIdle // one that has ended is not opened in a browser
		w := call(handler(f, new(bytes.Buffer)), operation, string(body))
		if w.Code != http.StatusOK || !isAnswer(w.Body.Bytes()) {
			t.Fatalf("%s %s: got %d %s", operation, body, w.Code, w.Body)
		}
	})
}

func TestModel_InvalidRequestsAreTheClientsFault(t *testing.T) {
	m := readModel(t)
	rapid.Check(t, func(t *rapid.T) {
		operation, input := draw(t, m)
		body, err := json.Marshal(spoil(t, input))
		if err != nil {
			t.Fatal(err)
		}
		if rapid.IntRange(0, 9).Draw(t, "cut off") == 0 {
			body = body[:rapid.IntRange(0, len(body)).Draw(t, "length")]
		}
		var log bytes.Buffer
		w := call(handler(full(), &log), operation, string(body))
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest || !isAnswer(w.Body.Bytes()) || log.Len() > 0 {
			t.Fatalf("%s %s: got %d %s, logged %s", operation, body, w.Code, w.Body, &log)
		}
		if w.Code == http.StatusOK {
			return
		}
		var answer struct {
			Type string `json:"__type"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		if known := []string{"InvalidRequestException", "SerializationException"}; !slices.Contains(known, answer.Type) {
			t.Fatalf("%s %s: got %s", operation, body, w.Body)
		}
	})
}

func TestModel_EveryOperationIsKnown(t *testing.T) {
	m := readModel(t)
	names := slices.Concat(slices.Collect(maps.Keys(m.Operations)), m.OtherOperations)
	if len(names) != 70 {
		t.Errorf("the model names %d operations, want 70", len(names))
	}
	for _, name := range names {
		if w := call(handler(full(), new(bytes.Buffer)), name, "{}"); strings.Contains(w.Body.String(), "UnknownOperation") {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}
