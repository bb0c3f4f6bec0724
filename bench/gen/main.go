// Gen puts the results of runs into a page of the documentation, each where the
// page names its report:
//
//	go run ./gen PAGE REPORT...
package main

import (
	"encoding/json"
	"log"
	"os"
	"path/filepath"

	"hearth/bench"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: gen PAGE REPORT...")
	}
	for _, report := range os.Args[2:] {
		if err := embed(report, os.Args[1]); err != nil {
			log.Fatal(err)
		}
	}
}

func embed(report, page string) error {
	measured, err := os.ReadFile(report)
	if err != nil {
		return err
	}
	var r bench.Report
	if err := json.Unmarshal(measured, &r); err != nil {
		return err
	}
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	if text, err = r.Page(text, filepath.Base(report)); err != nil {
		return err
	}
	return os.WriteFile(page, text, 0o644)
}
