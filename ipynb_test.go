package hearth_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth"
)

// document is a notebook with every kind of cell and output, with members that
// the format does not have, as Jupyter writes it.
const document = `{
 "cells": [
  {
   "cell_type": "markdown",
   "id": "a-1",
   "metadata": {},
   "source": [
    "# <Title>\n",
    "text"
   ]
  },
  {
   "attachments": {},
   "cell_type": "raw",
   "metadata": {},
   "source": ""
  },
  {
   "cell_type": "code",
   "execution_count": 7,
   "id": "b_2",
   "metadata": {
    "tags": [
     "é"
    ]
   },
   "outputs": [
    {
     "name": "stdout",
     "output_type": "stream",
     "text": "one"
    },
    {
     "data": {
      "application/json": {
       "big": 12345678901234567890.10
      },
      "text/plain": "1"
     },
     "execution_count": 7,
     "metadata": {},
     "output_type": "execute_result"
    },
    {
     "data": {},
     "metadata": {},
     "output_type": "display_data"
    },
    {
     "ename": "E",
     "evalue": "",
     "output_type": "error",
     "traceback": []
    }
   ],
   "source": [
    "1 &\n",
    "2"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": null,
   "metadata": {},
   "outputs": [],
   "source": "print('')"
  }
 ],
 "metadata": {
  "own": [
   1.50,
   "\ud83d"
  ]
 },
 "nbformat": 4,
 "nbformat_minor": 5,
 "zz": null
}
`

func parse(t *testing.T, content string) *hearth.IPYNB {
	t.Helper()
	n, err := hearth.ParseIPYNB([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestIPYNB(t *testing.T) {
	t.Run("an empty notebook is one", func(t *testing.T) {
		n := parse(t, hearth.EmptyIPYNB)
		if len(n.CodeCells()) != 0 {
			t.Error("it has code cells")
		}
		if diff := cmp.Diff(hearth.EmptyIPYNB, string(n.Bytes())); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("what is not changed stays as it is, to the byte", func(t *testing.T) {
		if diff := cmp.Diff(document, string(parse(t, document).Bytes())); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("gives the code of its cells", func(t *testing.T) {
		var got []string
		for _, cell := range parse(t, document).CodeCells() {
			got = append(got, cell.Source())
		}
		if diff := cmp.Diff([]string{"1 &\n2", "print('')"}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a run is put down as Jupyter does", func(t *testing.T) {
		n := parse(t, `{"cells":[{"cell_type":"code","metadata":{},"outputs":[],"execution_count":null,"source":"x"}],"metadata":{},"nbformat":4,"nbformat_minor":4}`)
		err := n.CodeCells()[0].Record(3, []json.RawMessage{
			hearth.StreamOutput(hearth.Stdout, "a\n<b>"),
			json.RawMessage(`{"output_type":"execute_result","execution_count":null,"metadata":{},"data":{"text/plain":"1\n2\n","image/png":"iVBO","text/x":{"a":1}}}`),
			hearth.ErrorOutput("NameError", "name 'x' is not defined", []string{"File", "NameError"}),
		})
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal(n.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(`{"cells":[{"cell_type":"code","metadata":{},"execution_count":3,"source":"x","outputs":[
			{"output_type":"stream","name":"stdout","text":["a\n","<b>"]},
			{"output_type":"execute_result","execution_count":3,"metadata":{},"data":{"text/plain":["1\n","2\n"],"image/png":"iVBO","text/x":{"a":1}}},
			{"output_type":"error","ename":"NameError","evalue":"name 'x' is not defined","traceback":["File","NameError"]}
			]}],"metadata":{},"nbformat":4,"nbformat_minor":4}`), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if _, err := hearth.ParseIPYNB(n.Bytes()); err != nil {
			t.Error(err)
		}
	})
	t.Run("what an earlier run left is taken away", func(t *testing.T) {
		n := parse(t, document)
		for _, cell := range n.CodeCells() {
			cell.Clear()
		}
		if text := string(n.Bytes()); strings.Contains(text, "stream") || strings.Contains(text, "7") {
			t.Errorf("it is left:\n%s", text)
		}
		parse(t, string(n.Bytes()))
	})
}

func TestParseIPYNB_Refuses(t *testing.T) {
	const frame = `{"metadata":{},"nbformat":4,"nbformat_minor":5,"cells":[CELL]}`
	const code = `{"cell_type":"code","metadata":{},"source":"","execution_count":null,"outputs":[OUTPUT]}`
	cell := func(text string) string { return strings.Replace(frame, "CELL", text, 1) }
	output := func(text string) string { return cell(strings.Replace(code, "OUTPUT", text, 1)) }
	for _, test := range []struct{ name, content, says string }{
		{"nothing", "", "at byte 0"},
		{"what is no JSON", `{"cells":[`, "it is not JSON"},
		{"more than one document", hearth.EmptyIPYNB + "{}", "it is not JSON"},
		{"null", "null", "not a JSON object"},
		{"a list", "[]", "not a JSON object"},
		{"another encoding", "{\"\xff\":1}", "not UTF-8"},
		{"an old notebook", `{"worksheets":[],"metadata":{},"nbformat":3,"nbformat_minor":0}`, "nbformat is not 4"},
		{"no format", `{"cells":[],"metadata":{}}`, "nbformat is not 4"},
		{"members in another case", `{"Cells":[],"metadata":{},"nbformat":4,"nbformat_minor":5}`, "cells"},
		{"no minor version", `{"cells":[],"metadata":{},"nbformat":4}`, "nbformat_minor"},
		{"no metadata", `{"cells":[],"nbformat":4,"nbformat_minor":5}`, "metadata"},
		{"null for cells", `{"cells":null,"metadata":{},"nbformat":4,"nbformat_minor":5}`, "cells"},
		{"a cell that is no object", cell(`1`), "cells"},
		{"a cell that is null", cell(`null`), "cell 1: its cell_type"},
		{"a cell of another type", cell(`{"cell_type":"heading","metadata":{},"source":""}`), "cell 1: its cell_type"},
		{"a cell without metadata", cell(`{"cell_type":"raw","source":""}`), "cell 1: its metadata"},
		{"a cell without source", cell(`{"cell_type":"raw","metadata":{}}`), "cell 1: its source"},
		{"a source that is a number", cell(`{"cell_type":"raw","metadata":{},"source":[1]}`), "cell 1: its source"},
		{"an id with a space", cell(`{"cell_type":"raw","metadata":{},"source":"","id":"a b"}`), "cell 1: its id"},
		{"the second cell", cell(`{"cell_type":"raw","metadata":{},"source":""},{}`), "cell 2: "},
		{"code without a count", cell(`{"cell_type":"code","metadata":{},"source":"","outputs":[]}`), "execution_count"},
		{"code with a fraction for a count", cell(`{"cell_type":"code","metadata":{},"source":"","execution_count":1.5,"outputs":[]}`), "execution_count"},
		{"code without outputs", cell(`{"cell_type":"code","metadata":{},"source":"","execution_count":1}`), "outputs"},
		{"an output without a type", output(`{}`), "cell 1: output 1: it has no output_type"},
		{"an output of another type", output(`{"output_type":"pyout"}`), `"pyout"`},
		{"a result without data", output(`{"output_type":"execute_result","metadata":{},"execution_count":1}`), "execute_result"},
		{"a result without a count", output(`{"output_type":"execute_result","metadata":{},"data":{}}`), "execute_result"},
		{"a figure without metadata", output(`{"output_type":"display_data","data":{}}`), "display_data"},
		{"a stream without text", output(`{"output_type":"stream","name":"stdout"}`), "stream"},
		{"an error without a traceback", output(`{"output_type":"error","ename":"a","evalue":"b"}`), "error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := hearth.ParseIPYNB([]byte(test.content))
			if hearth.KindOf(err) != hearth.KindInvalid || err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want a refusal with %q", err, test.says)
			}
		})
	}
}

// Whatever is accepted can be written, and is accepted again as the same.
func FuzzIPYNB(f *testing.F) {
	f.Add([]byte(document))
	f.Add([]byte(hearth.EmptyIPYNB))
	f.Fuzz(func(t *testing.T, content []byte) {
		n, err := hearth.ParseIPYNB(content)
		if err != nil {
			return
		}
		written := n.Bytes()
		again, err := hearth.ParseIPYNB(written)
		if err != nil {
			t.Fatalf("written as %q, which is refused: %v", written, err)
		}
		if string(again.Bytes()) != string(written) {
			t.Errorf("%q becomes %q", written, again.Bytes())
		}
	})
}

func TestNotebookNames(t *testing.T) {
	t.Run("a file's name is refused, with the notebook's", func(t *testing.T) {
		err := hearth.CheckNotebookName("taxi.ipynb")
		if hearth.KindOf(err) != hearth.KindInvalid || err == nil || !strings.Contains(err.Error(), `"taxi"`) {
			t.Error(err)
		}
	})
	t.Run("any other is fine", func(t *testing.T) {
		if err := hearth.CheckNotebookName("ipynb.taxi 1"); err != nil {
			t.Error(err)
		}
	})
}
