package main

import (
	"bytes"
	"os"
	"testing"
)

func TestGeneratedFileIsCurrent(t *testing.T) {
	model, err := os.ReadFile("../model.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := generate(model)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../model_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("model_gen.go is not what model.json gives: run go generate ./internal/athena")
	}
}
