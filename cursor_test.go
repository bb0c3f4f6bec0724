package hearth_test

import (
	"testing"

	"pgregory.net/rapid"

	"hearth"
)

func TestListing_ReadsItsOwnCursorsOnly(t *testing.T) {
	listings := []hearth.Listing{
		hearth.ListingOf("a"), hearth.ListingOf("a", ""), hearth.ListingOf("a", "", ""), hearth.ListingOf("b"),
		hearth.ListingOf("a", "b", "c"), hearth.ListingOf("a", "b c"), hearth.ListingOf("a", "bc"), hearth.ListingOf("a", `b" "c`),
		hearth.ListingOf("s", hearth.SessionFilter{WorkGroup: "a"}), hearth.ListingOf("s", hearth.SessionFilter{State: "a"}),
		hearth.ListingOf("s", hearth.SessionFilter{NotebookID: "a"}),
	}
	rapid.Check(t, func(t *rapid.T) {
		place := rapid.StringN(1, -1, -1).Draw(t, "place")
		for i, giver := range listings {
			cursor := giver.Cursor(place)
			for j, reader := range listings {
				got, err := reader.Place(cursor)
				switch {
				case i == j && (err != nil || got != place):
					t.Fatalf("%d: %q came back as %q, %v", i, place, got, err)
				case i != j && hearth.KindOf(err) != hearth.KindInvalid:
					t.Fatalf("a cursor of %d says %q to %d, %v", i, got, j, err)
				}
			}
		}
	})
}
