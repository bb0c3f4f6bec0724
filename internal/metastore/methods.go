package metastore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
)

// method is a call of the metastore's API.
type method struct {
	do func(c *catalog, ctx context.Context, arguments *structure) (value, error)
	// structs are the arguments without which there is nothing to do.
	structs []int16
	// throws are the exceptions that it declares, in the order of their fields.
	throws []string
}

// methods are those that Hive's client calls for Spark and for Iceberg. Names
// and exceptions are those of hive_metastore.thrift of Hive 2.3.
var methods = map[string]method{
	"create_database":   {(*catalog).createDatabase, []int16{1}, []string{alreadyExists, invalidObject, metaException}},
	"get_database":      {(*catalog).getDatabase, nil, []string{noSuchObject, metaException}},
	"drop_database":     {(*catalog).dropDatabase, nil, []string{noSuchObject, invalidOperation, metaException}},
	"get_databases":     {(*catalog).getDatabases, nil, []string{metaException}},
	"get_all_databases": {(*catalog).getDatabases, nil, []string{metaException}},
	"alter_database":    {(*catalog).alterDatabase, []int16{2}, []string{metaException, noSuchObject}},

	"create_table":                              {(*catalog).createTable, []int16{1}, []string{alreadyExists, invalidObject, metaException, noSuchObject}},
	"create_table_with_environment_context":     {(*catalog).createTable, []int16{1}, []string{alreadyExists, invalidObject, metaException, noSuchObject}},
	"drop_table":                                {(*catalog).dropTable, nil, []string{noSuchObject, metaException}},
	"drop_table_with_environment_context":       {(*catalog).dropTable, nil, []string{noSuchObject, metaException}},
	"get_table":                                 {(*catalog).getTable, nil, []string{metaException, noSuchObject}},
	"get_table_req":                             {(*catalog).getTableOfRequest, []int16{1}, []string{metaException, noSuchObject}},
	"get_table_objects_by_name":                 {(*catalog).getTablesByName, nil, nil},
	"get_table_objects_by_name_req":             {(*catalog).getTablesOfRequest, []int16{1}, []string{metaException, invalidOperation}},
	"get_tables":                                {(*catalog).getTables, nil, []string{metaException}},
	"get_tables_by_type":                        {(*catalog).getTables, nil, []string{metaException}},
	"get_all_tables":                            {(*catalog).getTables, nil, []string{metaException}},
	"get_table_meta":                            {(*catalog).getTableMetas, nil, []string{metaException}},
	"alter_table":                               {(*catalog).alterTable, []int16{3}, []string{invalidOperation, metaException}},
	"alter_table_with_environment_context":      {(*catalog).alterTable, []int16{3}, []string{invalidOperation, metaException}},
	"alter_table_with_cascade":                  {(*catalog).alterTable, []int16{3}, []string{invalidOperation, metaException}},
	"add_partition":                             {(*catalog).addPartition, []int16{1}, []string{invalidObject, alreadyExists, metaException}},
	"add_partition_with_environment_context":    {(*catalog).addPartition, []int16{1}, []string{invalidObject, alreadyExists, metaException}},
	"add_partitions":                            {(*catalog).addPartitions, nil, []string{invalidObject, alreadyExists, metaException}},
	"add_partitions_req":                        {(*catalog).addPartitionsOfRequest, []int16{1}, []string{invalidObject, alreadyExists, metaException}},
	"append_partition":                          {(*catalog).appendPartition, nil, []string{invalidObject, alreadyExists, metaException}},
	"drop_partition":                            {(*catalog).dropPartition, nil, []string{noSuchObject, metaException}},
	"drop_partition_with_environment_context":   {(*catalog).dropPartition, nil, []string{noSuchObject, metaException}},
	"drop_partitions_req":                       {(*catalog).dropPartitionsOfRequest, []int16{1}, []string{noSuchObject, metaException}},
	"get_partition":                             {(*catalog).getPartition, nil, []string{metaException, noSuchObject}},
	"get_partition_with_auth":                   {(*catalog).getPartition, nil, []string{metaException, noSuchObject}},
	"get_partition_by_name":                     {(*catalog).getPartitionByName, nil, []string{metaException, noSuchObject}},
	"get_partitions":                            {(*catalog).getPartitions, nil, []string{noSuchObject, metaException}},
	"get_partitions_with_auth":                  {(*catalog).getPartitions, nil, []string{noSuchObject, metaException}},
	"get_partition_names":                       {(*catalog).getPartitionNames, nil, []string{metaException}},
	"get_partitions_ps":                         {(*catalog).getPartitionsOfSpec, nil, []string{metaException, noSuchObject}},
	"get_partitions_ps_with_auth":               {(*catalog).getPartitionsOfSpec, nil, []string{noSuchObject, metaException}},
	"get_partition_names_ps":                    {(*catalog).getPartitionNamesOfSpec, nil, []string{metaException, noSuchObject}},
	"get_partitions_by_filter":                  {(*catalog).getPartitionsByFilter, nil, []string{metaException, noSuchObject}},
	"get_num_partitions_by_filter":              {(*catalog).countPartitionsByFilter, nil, []string{metaException, noSuchObject}},
	"get_partitions_by_names":                   {(*catalog).getPartitionsByNames, nil, []string{metaException, noSuchObject}},
	"alter_partition":                           {(*catalog).alterPartition, []int16{3}, []string{invalidOperation, metaException}},
	"alter_partition_with_environment_context":  {(*catalog).alterPartition, []int16{3}, []string{invalidOperation, metaException}},
	"alter_partitions":                          {(*catalog).alterPartitions, nil, []string{invalidOperation, metaException}},
	"alter_partitions_with_environment_context": {(*catalog).alterPartitions, nil, []string{invalidOperation, metaException}},
	"rename_partition":                          {(*catalog).renamePartition, []int16{4}, []string{invalidOperation, metaException}},

	"create_function":   {(*catalog).createFunction, []int16{1}, []string{alreadyExists, invalidObject, metaException, noSuchObject}},
	"drop_function":     {(*catalog).dropFunction, nil, []string{noSuchObject, metaException}},
	"alter_function":    {(*catalog).alterFunction, []int16{3}, []string{invalidOperation, metaException}},
	"get_function":      {(*catalog).getFunction, nil, []string{metaException, noSuchObject}},
	"get_functions":     {(*catalog).getFunctions, nil, []string{metaException}},
	"get_all_functions": {(*catalog).getAllFunctions, nil, []string{metaException}},

	"get_config_value": {defaultOfConfig, nil, nil},
	"getMetaConf":      {noConfig, nil, []string{metaException}},
	"set_ugi":          {sameUser, nil, []string{metaException}},
	"shutdown":         {nothing, nil, nil},
}

// defaultOfConfig knows no settings: each has the default that the client says.
func defaultOfConfig(_ *catalog, _ context.Context, a *structure) (value, error) {
	return a.text(2), nil
}

func noConfig(*catalog, context.Context, *structure) (value, error) { return "", nil }

// sameUser takes no notice of who the client says it works for: whoever has the
// driver's token is its session.
func sameUser(_ *catalog, _ context.Context, a *structure) (value, error) {
	return textList(append([]string{a.text(1)}, a.texts(2)...)), nil
}

func nothing(*catalog, context.Context, *structure) (value, error) { return nil, nil }

// answer carries out a call and gives the reply, nil when none is wanted. The
// process that owns the driver outlives whatever is wrong here.
func (c *catalog) answer(ctx context.Context, call call, log *slog.Logger) (reply []byte) {
	defer func() {
		if wrong := recover(); wrong != nil {
			log.Error("the catalog panicked", "method", call.method, "panic", wrong, "stack", string(debug.Stack()))
			if !call.oneway {
				reply = call.refuse(internalError, fmt.Sprintf("The catalog failed at %s: %v. Its stack is in the driver's log.", call.method, wrong))
			}
		}
	}()
	m, known := methods[call.method]
	if !known {
		log.Warn("the catalog was asked for what it does not have", "method", call.method)
		return call.refuse(unknownMethod, fmt.Sprintf("Hearth's catalog does not have %s. Set spark.hadoop.hive.metastore.uris to use a metastore that does.", call.method))
	}
	for _, id := range m.structs {
		if call.arguments.sub(id) == nil {
			return call.refuse(protocolError, fmt.Sprintf("%s came without its argument %d", call.method, id))
		}
	}
	result, err := m.do(c, ctx, call.arguments)
	switch {
	case call.oneway:
		return nil
	case err == nil && result == nil:
		return call.reply(&structure{})
	case err == nil:
		return call.reply(build(0, result))
	}
	declared, ok := errors.AsType[*exception](err)
	if !ok {
		log.Warn("the catalog could not answer", "method", call.method, "error", err)
		declared = &exception{metaException, "The catalog could not answer: " + err.Error()}
	}
	if i := slices.Index(m.throws, declared.kind); i >= 0 {
		return call.reply(build(i+1, build(1, declared.text)))
	}
	return call.refuse(internalError, declared.text)
}
