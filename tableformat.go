package hearth

// TableFormat is a format of tables that sessions can have beside Spark's own.
type TableFormat string

// The formats.
const (
	Iceberg TableFormat = "iceberg"
	Delta   TableFormat = "delta"
)

// TableFormats lists all of them.
func TableFormats() []TableFormat { return []TableFormat{Iceberg, Delta} }
