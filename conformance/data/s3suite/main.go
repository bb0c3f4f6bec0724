// S3suite runs versitygw's integration tests, which are a public suite for S3
// servers, against any server:
//
//	AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… go run . ENDPOINT TEST...
//
// It prints one line of JSON per test. The suite's own command stops at the
// first test that panics, which some do when an answer lacks something; here
// each test has its own result. The module is one of its own, so that Hearth's
// has nothing to do with what the suite needs.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/versity/versitygw/tests/integration"
)

// result is what became of a test. Error is empty when it passed.
type result struct {
	Test  string `json:"test"`
	Error string `json:"error,omitempty"`
}

// atOnce is how many tests run at the same time.
const atOnce = 4

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: s3suite ENDPOINT TEST...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "s3suite:", err)
		os.Exit(1)
	}
}

func run(endpoint string, names []string) error {
	known := integration.GetIntTests()
	// These are missing from the suite's own index.
	known["ListObjects_exceeding_max_keys"] = integration.ListObjects_exceeding_max_keys
	known["ListObjectsV2_exceeding_max_keys"] = integration.ListObjectsV2_exceeding_max_keys
	known["ListParts_exceeding_max_parts"] = integration.ListParts_exceeding_max_parts
	known["ListMultipartUploads_delimiter_no_matches"] = integration.ListMultipartUploads_delimiter_no_matches

	var together, alone []string
	for _, name := range names {
		switch {
		case known[name] == nil:
			return fmt.Errorf("the suite has no test %s", name)
		case strings.HasPrefix(name, "ListBuckets_"): // these expect no buckets but their own
			alone = append(alone, name)
		default:
			together = append(together, name)
		}
	}

	out := json.NewEncoder(os.Stdout)
	os.Stdout = os.Stderr // the suite prints, too
	conf := integration.NewS3Conf(
		integration.WithAccess(os.Getenv("AWS_ACCESS_KEY_ID")),
		integration.WithSecret(os.Getenv("AWS_SECRET_ACCESS_KEY")),
		integration.WithRegion("us-east-1"),
		integration.WithEndpoint(endpoint),
	)
	var printing sync.Mutex
	try := func(name string) {
		r := result{Test: name, Error: attempt(known[name], conf)}
		printing.Lock()
		defer printing.Unlock()
		if err := out.Encode(r); err != nil {
			panic(err)
		}
	}
	for _, name := range alone {
		try(name)
	}
	queue := make(chan string)
	var running sync.WaitGroup
	for range atOnce {
		running.Go(func() {
			for name := range queue {
				try(name)
			}
		})
	}
	for _, name := range together {
		queue <- name
	}
	close(queue)
	running.Wait()
	return nil
}

// attempt runs one test and gives what is wrong.
func attempt(test integration.IntTest, conf *integration.S3Conf) (wrong string) {
	defer func() {
		if p := recover(); p != nil {
			wrong = fmt.Sprintf("panic: %v", p)
		}
	}()
	if err := test(conf); err != nil {
		return err.Error()
	}
	return ""
}
