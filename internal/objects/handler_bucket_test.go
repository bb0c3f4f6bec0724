package objects_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func TestHandler_ListBuckets(t *testing.T) {
	store, client, url := serve(t)
	for _, name := range []string{"data-a", "data-b", "data-c", "other"} {
		if err := store.CreateBucket(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("by prefix, page by page", func(t *testing.T) {
		pages := s3.NewListBucketsPaginator(client, &s3.ListBucketsInput{Prefix: aws.String("data-"), MaxBuckets: aws.Int32(2)})
		var names [][]string
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var inPage []string
			for _, b := range page.Buckets {
				inPage = append(inPage, *b.Name)
			}
			names = append(names, inPage)
		}
		want := [][]string{{"data-a", "data-b"}, {"data-c"}}
		if !slices.EqualFunc(names, want, slices.Equal[[]string]) {
			t.Errorf("pages %v, want %v", names, want)
		}
	})
	for _, limit := range []string{"0", "-1", "10001", "x"} {
		t.Run("refuses max-buckets "+limit, func(t *testing.T) {
			if status, body := send(t, http.MethodGet, url+"/?max-buckets="+limit, ""); status != http.StatusBadRequest {
				t.Errorf("status %d: %s", status, body)
			}
		})
	}
}
