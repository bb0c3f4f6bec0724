// Command gen writes model_gen.go from model.json: the shapes of the operations
// that Hearth serves, their decoders and checks, and the table of operations.
//
//	go run ./gen model.json model_gen.go
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"go/format"
	"log"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

// served are the operations that have a handler. Each is a method of api with
// the operation's name in lower camel case.
var served = []string{
	"CreateNotebook",
	"CreatePresignedNotebookUrl",
	"CreateWorkGroup",
	"DeleteNotebook",
	"DeleteWorkGroup",
	"ExportNotebook",
	"GetCalculationExecution",
	"GetCalculationExecutionCode",
	"GetCalculationExecutionStatus",
	"GetNotebookMetadata",
	"GetResourceDashboard",
	"GetSession",
	"GetSessionEndpoint",
	"GetSessionStatus",
	"GetWorkGroup",
	"ImportNotebook",
	"ListApplicationDPUSizes",
	"ListCalculationExecutions",
	"ListEngineVersions",
	"ListExecutors",
	"ListNotebookMetadata",
	"ListNotebookSessions",
	"ListSessions",
	"ListTagsForResource",
	"ListWorkGroups",
	"StartCalculationExecution",
	"StartSession",
	"StopCalculationExecution",
	"TagResource",
	"TerminateSession",
	"UntagResource",
	"UpdateNotebook",
	"UpdateNotebookMetadata",
	"UpdateWorkGroup",
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: gen MODEL_JSON GO_FILE")
	}
	model, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	source, err := generate(model)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(os.Args[2], source, 0o666); err != nil {
		log.Fatal(err)
	}
}

//go:embed model.go.tmpl
var text string

func generate(modelJSON []byte) ([]byte, error) {
	var m model
	if err := json.Unmarshal(modelJSON, &m); err != nil {
		return nil, err
	}
	m.mark()
	parsed, err := template.New("model").Funcs(template.FuncMap{
		"goName": goName, "lower": lower, "quote": strconv.Quote, "raw": raw,
		"constraint": constraint, "bounds": bounds,
	}).Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, &m); err != nil {
		return nil, err
	}
	source, err := format.Source(out.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w in\n%s", err, out.Bytes())
	}
	return source, nil
}

// model is model.json.
type model struct {
	TargetPrefix    string
	Operations      map[string]operation
	OtherOperations []string
	Shapes          map[string]*shape

	in, out map[string]bool // shapes reached from inputs and from outputs of served operations
}

type operation struct {
	Name          string
	Input, Output reference
}

type reference struct{ Shape string }

type shape struct {
	Type     string
	Required []string
	Members  members
	Member   reference // of a list
	Key      reference // of a map
	Value    reference // of a map
	Min, Max *int64
	Pattern  string
	Enum     []string
}

// members are a structure's, in the model's order.
type members []member

type member struct {
	Name  string
	Shape string
}

func (m *members) UnmarshalJSON(data []byte) error {
	var shapes map[string]reference
	if err := json.Unmarshal(data, &shapes); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case json.Delim:
			if token == '{' {
				depth++
			} else if depth--; depth == 0 {
				return nil
			}
		case string:
			if ref, isName := shapes[token]; isName && depth == 1 {
				*m = append(*m, member{Name: token, Shape: ref.Shape})
			}
		}
	}
}

// mark finds the shapes that are needed.
func (m *model) mark() {
	m.in, m.out = make(map[string]bool), make(map[string]bool)
	for _, name := range served {
		m.reach(m.in, m.Operations[name].Input.Shape)
		m.reach(m.out, m.Operations[name].Output.Shape)
	}
}

func (m *model) reach(set map[string]bool, name string) {
	if set[name] {
		return
	}
	set[name] = true
	s := m.Shapes[name]
	for _, member := range s.Members {
		m.reach(set, member.Shape)
	}
	for _, part := range []reference{s.Member, s.Value} {
		if part.Shape != "" {
			m.reach(set, part.Shape)
		}
	}
}

// Served lists the operations that have a handler.
func (m *model) Served() []operation {
	var list []operation
	for _, name := range served {
		list = append(list, m.Operations[name])
	}
	return list
}

// Unserved names the operations that have none.
func (m *model) Unserved() []string {
	names := slices.Clone(m.OtherOperations)
	for name := range m.Operations {
		if !slices.Contains(served, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Structures names all structures.
func (m *model) Structures() []string {
	return m.named(func(name string) bool { return (m.in[name] || m.out[name]) && m.Shapes[name].Type == "structure" })
}

// Constraints names the strings and numbers of inputs that have constraints.
func (m *model) Constraints() []string {
	used := make(map[string]bool)
	for name := range m.in {
		s := m.Shapes[name]
		used[name] = true
		if s.Key.Shape != "" {
			used[s.Key.Shape] = true
		}
	}
	return m.named(func(name string) bool { return used[name] && m.Shapes[name].scalar() && m.Shapes[name].limited() })
}

func (m *model) named(which func(string) bool) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m.Shapes)), func(name string) bool { return !which(name) })
}

// In reports whether a shape is part of an input.
func (m *model) In(name string) bool { return m.in[name] }

func (s *shape) scalar() bool {
	return s.Type == "string" || s.Type == "integer" || s.Type == "long"
}

func (s *shape) limited() bool {
	return s.Min != nil || s.Max != nil || s.Pattern != "" || s.Enum != nil
}

// Checked reports whether anything is to check in a shape.
func (m *model) Checked(name string) bool {
	s := m.Shapes[name]
	if s.limited() || len(s.Required) > 0 {
		return true
	}
	for _, member := range s.Members {
		if m.Checked(member.Shape) {
			return true
		}
	}
	for _, part := range []reference{s.Member, s.Key, s.Value} {
		if part.Shape != "" && m.Checked(part.Shape) {
			return true
		}
	}
	return false
}

// Field is the Go type of a structure's member. What may be absent has a nil.
func (m *model) Field(name string) string {
	switch t := m.element(name); m.Shapes[name].Type {
	case "list", "map", "timestamp":
		return t
	default:
		return "*" + t
	}
}

// element is the Go type of a list's item or a map's value.
func (m *model) element(name string) string {
	switch s := m.Shapes[name]; s.Type {
	case "structure":
		return goName(name)
	case "list":
		return "[]" + m.element(s.Member.Shape)
	case "map":
		return "map[string]" + m.element(s.Value.Shape)
	case "timestamp":
		return "awsjson.Timestamp"
	case "string":
		return "string"
	case "integer":
		return "int"
	case "long":
		return "int64"
	case "boolean":
		return "bool"
	default:
		panic(fmt.Sprintf("shape %s has the type %s, which the generator does not know", name, s.Type))
	}
}

// Decode is the expression that reads a member.
func (m *model) Decode(name string) string {
	switch s := m.Shapes[name]; s.Type {
	case "list":
		return fmt.Sprintf("awsjson.DecodeList(d, %s)", m.decoder(s.Member.Shape))
	case "map":
		return fmt.Sprintf("awsjson.DecodeMap(d, %s)", m.decoder(s.Value.Shape))
	case "structure":
		return fmt.Sprintf("decode%s(d)", goName(name))
	default:
		return fmt.Sprintf("d.%s()", readers[s.Type])
	}
}

// decoder is the function that reads an item or a value.
func (m *model) decoder(name string) string {
	switch s := m.Shapes[name]; s.Type {
	case "list":
		return fmt.Sprintf("awsjson.ListOf(%s)", m.decoder(s.Member.Shape))
	case "structure":
		return "decode" + goName(name)
	default:
		return "(*awsjson.Decoder)." + readers[s.Type]
	}
}

var readers = map[string]string{"string": "String", "integer": "Integer", "long": "Long", "boolean": "Boolean"}

// Checks are the statements that check the members of a structure.
func (m *model) Checks(name string) ([]string, error) {
	var checks []string
	s := m.Shapes[name]
	for _, member := range s.Members {
		field, label := "s."+goName(member.Name), strconv.Quote(lower(member.Name))
		if slices.Contains(s.Required, member.Name) {
			checks = append(checks, fmt.Sprintf("c.Required(%s, %s != nil)", label, field))
		}
		of := m.Shapes[member.Shape]
		switch {
		case !m.Checked(member.Shape):
		case of.Type == "string":
			checks = append(checks, fmt.Sprintf("c.Text(%s, %s, %s)", label, field, constraint(member.Shape)))
		case of.Type == "integer":
			checks = append(checks, fmt.Sprintf("c.Integer(%s, %s, %s)", label, field, constraint(member.Shape)))
		case of.Type == "long":
			checks = append(checks, fmt.Sprintf("c.Long(%s, %s, %s)", label, field, constraint(member.Shape)))
		case of.Type == "structure":
			checks = append(checks, fmt.Sprintf("if %s != nil {\nc.In(%s, %s.check)\n}", field, label, field))
		case of.Type == "list" && !of.limited() && m.Shapes[of.Member.Shape].Type == "structure":
			checks = append(checks, fmt.Sprintf("for i := range %s {\nc.InItem(%s, i, %s[i].check)\n}", field, label, field))
		case of.Type == "list" && !of.limited() && m.Shapes[of.Member.Shape].Type == "string":
			checks = append(checks, fmt.Sprintf("c.Items(%s, %s, %s)", label, field, constraint(of.Member.Shape)))
		case of.Type == "map" && !of.limited() && m.Shapes[of.Value.Shape].Type == "string":
			if m.Checked(of.Key.Shape) {
				checks = append(checks, fmt.Sprintf("c.Keys(%s, %s, %s)", label, field, constraint(of.Key.Shape)))
			}
			if m.Checked(of.Value.Shape) {
				checks = append(checks, fmt.Sprintf("c.Values(%s, %s, %s)", label, field, constraint(of.Value.Shape)))
			}
		default:
			return nil, fmt.Errorf("the generator cannot check member %s of %s, a %s", member.Name, name, of.Type)
		}
	}
	return checks, nil
}

// constraint is the variable that holds a shape's constraints.
func constraint(shape string) string { return "rule" + goName(shape) }

// initialisms are written in capitals in Go's names.
var initialisms = regexp.MustCompile(`(Acl|Arn|Dpu|Id|Kms|Uri|Url)(s?)([A-Z]|$)`)

func goName(name string) string {
	return initialisms.ReplaceAllStringFunc(name, func(found string) string {
		parts := initialisms.FindStringSubmatch(found)
		return strings.ToUpper(parts[1]) + parts[2] + parts[3]
	})
}

func lower(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// raw quotes without escapes where that can be.
func raw(text string) string {
	if strings.Contains(text, "`") {
		return strconv.Quote(text)
	}
	return "`" + text + "`"
}

// bounds are a number's, the widest where the model has none.
func bounds(s *shape) string {
	least, most := int64(math.MinInt64), int64(math.MaxInt64)
	if s.Min != nil {
		least = *s.Min
	}
	if s.Max != nil {
		most = *s.Max
	}
	return fmt.Sprintf("Min: %d, Max: %d", least, most)
}
