package awsjson_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/internal/awsjson"
)

// order is a structure with a member of each type that models have.
type order struct {
	Name    *string             `json:"Name,omitzero"`
	Count   *int                `json:"Count,omitzero"`
	Total   *int64              `json:"Total,omitzero"`
	Express *bool               `json:"Express,omitzero"`
	Labels  map[string]string   `json:"Labels,omitzero"`
	Sizes   []string            `json:"Sizes,omitzero"`
	Lines   []line              `json:"Lines,omitzero"`
	Address *line               `json:"Address,omitzero"`
	At      awsjson.Timestamp   `json:"At,omitzero"`
	Shelves map[string][]string `json:"Shelves,omitzero"`
}

type line struct {
	Item *string `json:"Item,omitzero"`
}

func decodeOrder(d *awsjson.Decoder) *order {
	if d.Null() {
		return nil
	}
	o := new(order)
	for name := range d.Structure() {
		switch name {
		case "Name":
			o.Name = d.String()
		case "Count":
			o.Count = d.Integer()
		case "Total":
			o.Total = d.Long()
		case "Express":
			o.Express = d.Boolean()
		case "Labels":
			o.Labels = awsjson.DecodeMap(d, (*awsjson.Decoder).String)
		case "Sizes":
			o.Sizes = awsjson.DecodeList(d, (*awsjson.Decoder).String)
		case "Lines":
			o.Lines = awsjson.DecodeList(d, decodeLine)
		case "Address":
			o.Address = decodeLine(d)
		case "Shelves":
			o.Shelves = awsjson.DecodeMap(d, awsjson.ListOf((*awsjson.Decoder).String))
		default:
			d.Skip()
		}
	}
	return o
}

func decodeLine(d *awsjson.Decoder) *line {
	if d.Null() {
		return nil
	}
	l := new(line)
	for name := range d.Structure() {
		switch name {
		case "Item":
			l.Item = d.String()
		default:
			d.Skip()
		}
	}
	return l
}

var (
	ruleName  = awsjson.Text{Min: 1, Max: 8}
	ruleItem  = awsjson.Text{Min: 1, Max: 255, Pattern: awsjson.MustPattern(`[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*`)}
	ruleSize  = awsjson.Text{Enum: []string{"SMALL", "LARGE"}}
	ruleCount = awsjson.Number{Min: 1, Max: 50}
)

func (o *order) check(c *awsjson.Checker) {
	c.Required("name", o.Name != nil)
	c.Text("name", o.Name, ruleName)
	c.Integer("count", o.Count, ruleCount)
	c.Keys("labels", o.Labels, ruleName)
	c.Values("labels", o.Labels, ruleSize)
	c.Items("sizes", o.Sizes, ruleSize)
	for i := range o.Lines {
		c.InItem("lines", i, o.Lines[i].check)
	}
	if o.Address != nil {
		c.In("address", o.Address.check)
	}
}

func (l *line) check(c *awsjson.Checker) {
	c.Required("item", l.Item != nil)
	c.Text("item", l.Item, ruleItem)
}

func shop(log *bytes.Buffer, handle func(context.Context, *order) (*order, error)) http.Handler {
	return awsjson.Service{
		Target: "Shop",
		Operations: []awsjson.Operation{
			awsjson.NewOperation("PlaceOrder", decodeOrder, (*order).check, handle),
			awsjson.Refuse("CancelOrder", &awsjson.Error{Type: "RefusedException", Message: "no way back"}),
		},
		Invalid: func(message string) *awsjson.Error {
			return &awsjson.Error{Type: "InvalidException", Message: message, Members: []awsjson.Member{{Name: "Code", Value: "BAD"}}}
		},
		Translate: func(error) *awsjson.Error {
			return &awsjson.Error{Type: "InternalServerException", Status: 500, Message: "neutral"}
		},
		MaxBody: 1 << 16,
		Log:     slog.New(slog.NewTextHandler(log, nil)),
	}.Handler()
}

func echo(_ context.Context, o *order) (*order, error) { return o, nil }

func call(h http.Handler, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "Shop.PlaceOrder")
	r.Header.Set("Accept-Encoding", "gzip")
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func serializationError(message string) string {
	if message == "" {
		return `{"__type":"SerializationException"}`
	}
	return `{"__type":"SerializationException","Message":"` + message + `","message":"` + message + `"}`
}

func validationError(message string) string {
	return `{"__type":"InvalidException","Code":"BAD","Message":"` + message + `","message":"` + message + `"}`
}

func TestHandler_Answers(t *testing.T) {
	const one = "1 validation error detected: "
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	for _, test := range []struct {
		name, body string
		status     int
		answer     string
	}{
		{
			"all members", `{"Name":"a<b>&c","Count":3,"Total":-4,"Express":false,"Labels":{"k":"SMALL"},"Lines":[{"Item":"x"}],"Address":{"Item":"y"},"Shelves":{"s":["a","b"]}}`, 200,
			`{"Name":"a<b>&c","Count":3,"Total":-4,"Express":false,"Labels":{"k":"SMALL"},"Lines":[{"Item":"x"}],"Address":{"Item":"y"},"Shelves":{"s":["a","b"]}}`,
		},
		{"spaces everywhere", " {\n\"Name\" : \"a\" ,\t\"Lines\" : [ { \"Item\" : \"x\" } , { \"Item\" : \"y\" } ] , \"Count\" : 1 } ", 200, `{"Name":"a","Count":1,"Lines":[{"Item":"x"},{"Item":"y"}]}`},
		{"escapes", `{"Name":"\u00e9\n\"\\\ud83d\ude00"}`, 200, `{"Name":"é\n\"\\😀"}`},
		{"unknown members", `{"Name":"a","What":{"Name":[{"x":"}]\\"}]},"Ever":-1.5e3,"Else":true,"More":null,"Text":"\"}"}`, 200, `{"Name":"a"}`},
		{"null is absent", `{"Name":"a","Count":null,"Labels":null,"Lines":null,"Address":null,"Express":null}`, 200, `{"Name":"a"}`},
		{"null in collections", `{"Name":"a","Labels":{"k":null},"Lines":[null]}`, 200, `{"Name":"a","Labels":{},"Lines":[]}`},
		{"empty collections", `{"Name":"a","Labels":{},"Lines":[]}`, 200, `{"Name":"a","Labels":{},"Lines":[]}`},
		{"fraction", `{"Name":"a","Count":1.9,"Total":-1.9}`, 200, `{"Name":"a","Count":1,"Total":-1}`},
		{"exponent", `{"Name":"a","Count":1e1}`, 200, `{"Name":"a","Count":10}`},
		{"huge long", `{"Name":"a","Total":1e300}`, 200, `{"Name":"a","Total":9223372036854775807}`},

		{"empty body", "", 400, serializationError("")},
		{"broken", `{"Name":`, 400, serializationError("")},
		{"trailing text", `{"Name":"a"} x`, 400, serializationError("")},
		{"not UTF-8", "{\"Name\":\"\xff\"}", 400, serializationError("")},
		{"null body", "null", 400, serializationError("")},
		{"bare string", `"Name"`, 400, serializationError("")},
		{"list body", `[]`, 400, serializationError("")},
		{"as deep as allowed", `{"Name":"a","X":` + deep[1:127] + `}`, 200, `{"Name":"a"}`},
		{"too deep", `{"Name":"a","X":` + deep + `}`, 400, serializationError("")},

		{"string for an integer", `{"Name":"a","Count":"1"}`, 400, serializationError("STRING_VALUE can not be converted to an Integer")},
		{"string for a long", `{"Name":"a","Total":"1"}`, 400, serializationError("STRING_VALUE can not be converted to a Long")},
		{"number for a string", `{"Name":1}`, 400, serializationError("NUMBER_VALUE can not be converted to a String")},
		{"number for a boolean", `{"Express":1}`, 400, serializationError("NUMBER_VALUE can not be converted to a Boolean")},
		{"true for a string", `{"Name":true}`, 400, serializationError("TRUE_VALUE can not be converted to a String")},
		{"false for an integer", `{"Count":false}`, 400, serializationError("FALSE_VALUE can not be converted to an Integer")},
		{"list for a string", `{"Name":["a"]}`, 400, serializationError("Start of list found where not expected")},
		{"structure for a string", `{"Name":{}}`, 400, serializationError("Start of structure or map found where not expected.")},
		{"string for a list", `{"Lines":"a"}`, 400, serializationError("Expected list or null")},
		{"structure for a list", `{"Lines":{}}`, 400, serializationError("Start of structure or map found where not expected.")},
		{"number for a map", `{"Labels":1}`, 400, serializationError("Expected map or null")},
		{"list for a map", `{"Labels":[]}`, 400, serializationError("Start of list found where not expected")},
		{"string for a structure", `{"Address":"a"}`, 400, serializationError("Expected null")},
		{"list for a structure", `{"Address":[]}`, 400, serializationError("Start of list found where not expected")},
		{"number in a map", `{"Labels":{"k":1}}`, 400, serializationError("NUMBER_VALUE can not be converted to a String")},
		{"the first type error wins", `{"Count":"1","Name":2}`, 400, serializationError("STRING_VALUE can not be converted to an Integer")},
		{"types before required members", `{"Count":"1"}`, 400, serializationError("STRING_VALUE can not be converted to an Integer")},

		{"required", `{}`, 400, validationError(one + "Value null at 'name' failed to satisfy constraint: Member must not be null")},
		{"required and null", `{"Name":null}`, 400, validationError(one + "Value null at 'name' failed to satisfy constraint: Member must not be null")},
		{"too small", `{"Name":"a","Count":0}`, 400, validationError(one + "Value at 'count' failed to satisfy constraint: Member must have value greater than or equal to 1")},
		{"too large", `{"Name":"a","Count":51}`, 400, validationError(one + "Value at 'count' failed to satisfy constraint: Member must have value less than or equal to 50")},
		{"far too large", `{"Name":"a","Count":99999999999999999999}`, 400, validationError(one + "Value at 'count' failed to satisfy constraint: Member must have value less than or equal to 50")},
		{"too short", `{"Name":""}`, 400, validationError(one + "Value at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1")},
		{"too long", `{"Name":"123456789"}`, 400, validationError(one + "Value at 'name' failed to satisfy constraint: Member must have length less than or equal to 8")},
		{"characters, not bytes", `{"Name":"éééééééé"}`, 200, `{"Name":"éééééééé"}`},
		{"pattern", `{"Name":"a","Address":{"Item":"\u0001"}}`, 400, validationError(one + `Value at 'address.item' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\u0020-\\uD7FF\\uE000-\\uFFFD\\uD800\\uDC00-\\uDBFF\\uDFFF\\t]*`)},
		{"pattern with a character beyond 16 bits", `{"Name":"a","Address":{"Item":"\ud83d\ude00"}}`, 200, `{"Name":"a","Address":{"Item":"😀"}}`},
		{"in a list", `{"Name":"a","Lines":[{"Item":"x"},{}]}`, 400, validationError(one + "Value null at 'lines.2.member.item' failed to satisfy constraint: Member must not be null")},
		{"key of a map", `{"Name":"a","Labels":{"":"SMALL"}}`, 400, validationError(one + "Value at 'labels' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 8, Member must have length greater than or equal to 1]")},
		{"item of a list", `{"Name":"a","Sizes":["SMALL","HUGE"]}`, 400, validationError(one + "Value at 'sizes' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [SMALL, LARGE]]")},
		{"value of a map", `{"Name":"a","Labels":{"k":"HUGE"}}`, 400, validationError(one + "Value at 'labels' failed to satisfy constraint: Map value must satisfy constraint: [Member must satisfy enum value set: [SMALL, LARGE]]")},
		{"several", `{"Count":0,"Address":{}}`, 400, validationError("3 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; Value at 'count' failed to satisfy constraint: Member must have value greater than or equal to 1; Value null at 'address.item' failed to satisfy constraint: Member must not be null")},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := call(shop(new(bytes.Buffer), echo), test.body)
			if w.Code != test.status || w.Body.String() != test.answer {
				t.Errorf("got  %d %s\nwant %d %s", w.Code, w.Body, test.status, test.answer)
			}
			var errorType struct {
				Type string `json:"__type"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &errorType); err != nil {
				t.Error(err)
			}
			if header := w.Header().Get("X-Amzn-ErrorType"); header != errorType.Type {
				t.Errorf("the header says %q, the body %q", header, errorType.Type)
			}
			if got := slices.Sorted(maps.Keys(w.Header())); test.status == 200 && !slices.Equal(got, []string{"Content-Length", "Content-Type", "X-Amzn-Requestid"}) {
				t.Errorf("got headers %v", got)
			}
			if got := w.Header().Get("Content-Type"); got != "application/x-amz-json-1.1" {
				t.Errorf("got content type %s", got)
			}
		})
	}
	t.Run("at most ten errors", func(t *testing.T) {
		w := call(shop(new(bytes.Buffer), echo), `{"Name":"a","Lines":[`+strings.Repeat("{},", 20)+`{}]}`)
		if !strings.Contains(w.Body.String(), "10 validation errors detected: ") || strings.Contains(w.Body.String(), "lines.11") {
			t.Errorf("got %s", w.Body)
		}
	})
}

func TestHandler_Dispatch(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Del(name)
			if value != "" {
				r.Header.Set(name, value)
			}
		}
	}
	const unknown = `{"__type":"UnknownOperationException"}`
	const notHere = "<UnknownOperationException/>\n"
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		status int
		body   string
	}{
		{"with a charset", header("Content-Type", "application/x-amz-json-1.1; charset=utf-8"), 200, `{"Name":"a"}`},
		{"JSON 1.0", header("Content-Type", "application/x-amz-json-1.0"), 404, notHere},
		{"plain JSON", header("Content-Type", "application/json"), 404, notHere},
		{"no content type", header("Content-Type", ""), 404, notHere},
		{"GET", func(r *http.Request) { r.Method = http.MethodGet }, 404, notHere},
		{"no target", header("X-Amz-Target", ""), 400, unknown},
		{"target without prefix", header("X-Amz-Target", "PlaceOrder"), 400, unknown},
		{"target of another service", header("X-Amz-Target", "Store.PlaceOrder"), 400, unknown},
		{"target in another case", header("X-Amz-Target", "Shop.placeOrder"), 400, unknown},
		{"unknown operation", header("X-Amz-Target", "Shop.LoseOrder"), 400, unknown},
		{"refused operation", header("X-Amz-Target", "Shop.CancelOrder"), 400, `{"__type":"RefusedException","Message":"no way back","message":"no way back"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := call(shop(new(bytes.Buffer), echo), `{"Name":"a"}`, test.change)
			if w.Code != test.status || w.Body.String() != test.body {
				t.Errorf("got  %d %s\nwant %d %s", w.Code, w.Body, test.status, test.body)
			}
			if w.Header().Get("X-Amzn-Requestid") == "" {
				t.Error("no request id")
			}
		})
	}
}

func TestHandler_BodyOverTheLimit(t *testing.T) {
	w := call(shop(new(bytes.Buffer), echo), `{"Name":"a","X":"`+strings.Repeat("x", 1<<16)+`"}`)
	if w.Code != 413 || !strings.HasPrefix(w.Body.String(), `{"__type":"RequestEntityTooLargeException","Message":"The body of the request is over the limit of 65536 bytes."`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestHandler_Faults(t *testing.T) {
	const neutral = `{"__type":"InternalServerException","Message":"neutral","message":"neutral"}`
	for name, handle := range map[string]func(context.Context, *order) (*order, error){
		"an error": func(context.Context, *order) (*order, error) { return nil, errors.New("disk on fire") },
		"a panic":  func(context.Context, *order) (*order, error) { panic("disk on fire") },
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			w := call(shop(&log, handle), `{"Name":"a"}`)
			if w.Code != 500 || w.Body.String() != neutral {
				t.Errorf("got %d %s, want 500 %s", w.Code, w.Body, neutral)
			}
			for _, want := range []string{"disk on fire", "operation=PlaceOrder", "request=" + w.Header().Get("X-Amzn-Requestid")} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log lacks %q: %s", want, log.String())
				}
			}
		})
	}
	t.Run("an aborted answer stays aborted", func(t *testing.T) {
		defer func() {
			if got := recover(); got != http.ErrAbortHandler {
				t.Errorf("got panic %v", got)
			}
		}()
		call(shop(new(bytes.Buffer), func(context.Context, *order) (*order, error) { panic(http.ErrAbortHandler) }), `{"Name":"a"}`)
	})
	t.Run("a client that left is no news", func(t *testing.T) {
		var log bytes.Buffer
		ctx, leave := context.WithCancel(context.Background())
		handle := func(ctx context.Context, _ *order) (*order, error) { leave(); return nil, ctx.Err() }
		call(shop(&log, handle), `{"Name":"a"}`, func(r *http.Request) { *r = *r.WithContext(ctx) })
		if log.Len() > 0 {
			t.Errorf("logged %s", log.String())
		}
	})
}

func TestHandler_KeepsTheRequestID(t *testing.T) {
	h := shop(new(bytes.Buffer), echo)
	w := httptest.NewRecorder()
	w.Header().Set("X-Amzn-RequestId", "given")
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if got := w.Header()["X-Amzn-Requestid"]; !slices.Equal(got, []string{"given"}) {
		t.Errorf("got request ids %v", got)
	}
}

func TestTimestamp(t *testing.T) {
	for _, test := range []struct {
		at   time.Time
		want string
	}{
		{time.UnixMilli(1760055300123), `{"At":1760055300.123}`},
		{time.UnixMilli(1760055300120), `{"At":1760055300.12}`},
		{time.Unix(1760055300, 0), `{"At":1760055300}`},
		{time.Time{}, `{}`},
	} {
		got, err := json.Marshal(order{At: awsjson.Timestamp{Time: test.at}})
		if err != nil || string(got) != test.want {
			t.Errorf("%v became %s (%v), want %s", test.at, got, err, test.want)
		}
	}
}

// FuzzDecoder compares with encoding/json, which reads the same document into
// maps: whatever was accepted has to be what stands there.
func FuzzDecoder(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `{"Name":"a","Name":null}`, `{"Name":"\u00e9\ud800","X":[[{"a":"]}"}]]}`,
		`{"Count":1e400,"Total":-0.5,"Express":true}`, `{"Labels":{"a":"b","a":null,"":""}}`,
		`{"Lines":[{"Item":"x","y":1},null,{}],"Address":{"Item":null}}`, `{"Shelves":{"a":["b",null],"c":null}}`,
		"{\"Name\":\"\xff\"}", `{"Name":"a"}{}`, `[{"Name":1}]`, `{"\u004eame":"x","X":"\\"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d, refusal := awsjson.NewDecoder(body)
		var reference map[string]any
		if refusal != nil {
			return
		}
		numbers := json.NewDecoder(bytes.NewReader(body))
		numbers.UseNumber() // some fit no float64
		if err := numbers.Decode(&reference); err != nil {
			t.Fatalf("accepted %q, which is no JSON: %v", body, err)
		}
		o := decodeOrder(d)
		if d.Err() != nil {
			return
		}
		var c awsjson.Checker
		o.check(&c)
		_ = c.Message()
		text, _ := reference["Name"].(string)
		if got := o.Name; (got != nil) != (reference["Name"] != nil) || got != nil && *got != text {
			t.Fatalf("Name of %q: got %v, want %q", body, got, text)
		}
		express, _ := reference["Express"].(bool)
		if got := o.Express; (got != nil) != (reference["Express"] != nil) || got != nil && *got != express {
			t.Fatalf("Express of %q: got %v, want %v", body, got, express)
		}
		labels, _ := reference["Labels"].(map[string]any)
		maps.DeleteFunc(labels, func(_ string, v any) bool { return v == nil })
		if (o.Labels == nil) != (reference["Labels"] == nil) {
			t.Fatalf("Labels of %q: got %v, want %v", body, o.Labels, labels)
		}
		for key, want := range labels {
			if got, there := o.Labels[key]; there && got != want {
				t.Fatalf("Labels[%q] of %q: got %q, want %q", key, body, got, want)
			}
		}
	})
}

func BenchmarkHandler(b *testing.B) {
	h := shop(new(bytes.Buffer), echo)
	body := `{"Name":"a","Count":3,"Labels":{"k":"SMALL"},"Lines":[{"Item":"x"}]}`
	b.ReportAllocs()
	for b.Loop() {
		if w := call(h, body); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	body := []byte(`{"Name":"a","Count":3,"Labels":{"k":"SMALL"},"Lines":[{"Item":"x"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		d, refusal := awsjson.NewDecoder(body)
		if refusal != nil || *decodeOrder(d).Name != "a" {
			b.Fatal(refusal)
		}
	}
}
