package objects_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"hearth/internal/objects"
)

// serveIn has the test binary be a server of a store in a directory, as long as
// its standard input is open.
const serveIn = "HEARTH_TEST_SERVE_OBJECTS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveIn); dir != "" {
		if err := serveAlone(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serveAlone(dir string) error {
	store, err := objects.Open(dir)
	if err != nil {
		return err
	}
	defer store.Close()
	server := httptest.NewServer(objects.Handler(store, objects.Options{Region: "eu-central-1", Allow: everyBucket, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}))
	defer server.Close()
	fmt.Println(server.URL)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// Ensure that an object passes through the server, and is not in its memory.
func TestHandler_Memory(t *testing.T) {
	const (
		part    = 8 << 20
		parts   = 32
		atOnce  = 4
		mostMiB = parts * part >> 21 // half the object
	)
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), serveIn+"="+t.TempDir())
	command.Stderr = t.Output()
	out, outErr := command.StdoutPipe()
	in, inErr := command.StdinPipe()
	if outErr != nil || inErr != nil {
		t.Fatal(outErr, inErr)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := command.Wait(); err != nil {
			t.Error(err)
		}
	}()
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	client := clientOf(strings.TrimSpace(url))
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: hearthBucket}); err != nil {
		t.Fatal(err)
	}
	// Each part has other content: its number, again and again.
	content := func(number int32) []byte {
		return bytes.Repeat(binary.BigEndian.AppendUint32(nil, uint32(number)), part/4)
	}
	want := sha256.New()
	for number := range int32(parts) {
		want.Write(content(number + 1))
	}

	for name, encryption := range map[string]types.ServerSideEncryption{"plain": "", "encrypted": types.ServerSideEncryptionAes256} {
		t.Run(name, func(t *testing.T) {
			key := aws.String(name)
			upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: hearthBucket, Key: key, ServerSideEncryption: encryption})
			if err != nil {
				t.Fatal(err)
			}
			completed := make([]types.CompletedPart, parts)
			var uploading sync.WaitGroup
			for first := range int32(atOnce) {
				uploading.Go(func() {
					for i := first; i < parts; i += atOnce {
						number := i + 1
						answer, err := client.UploadPart(t.Context(), &s3.UploadPartInput{
							Bucket: hearthBucket, Key: key, UploadId: upload.UploadId, PartNumber: &number, Body: bytes.NewReader(content(number)),
						})
						if err != nil {
							t.Error(err)
							return
						}
						completed[i] = types.CompletedPart{PartNumber: &number, ETag: answer.ETag}
					}
				})
			}
			uploading.Wait()
			if t.Failed() {
				return
			}
			_, err = client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
				Bucket: hearthBucket, Key: key, UploadId: upload.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: completed},
			})
			if err != nil {
				t.Fatal(err)
			}
			answer, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: hearthBucket, Key: key})
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			got := sha256.New()
			if _, err := io.Copy(got, answer.Body); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
				t.Error("what was got is not what was put")
			}
			most := mostMemory(t, command.Process.Pid)
			t.Logf("the server took %d MiB at the most", most)
			if most > mostMiB {
				t.Errorf("that is more than %d MiB, for an object of %d MiB", mostMiB, parts*part>>20)
			}
		})
	}
}

// mostMemory is the most that a process ever had in memory, in MiB.
func mostMemory(t *testing.T, pid int) (miB int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(rest, &miB); err != nil {
		t.Fatal(err)
	}
	return miB >> 10 // it is in KiB
}
