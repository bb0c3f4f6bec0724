package conformance

import "github.com/aws/aws-sdk-go-v2/service/athena/types"

// A probe is a call and what has to come of it.
type probe struct {
	operation string
	// input is JSON. ${name} stands for what an earlier answer gave, and for
	// an id of nothing when none did.
	input string
	// keep names members of the answer for later inputs.
	keep map[string]string
	// once is the state that the session has to be in first.
	once types.SessionState

	because string // what is wrong with the request; "" when it has to succeed
	says    string // a part of the error's message
	fails   string // the error's name; "" is InvalidRequestException
	code    string // AthenaErrorCode of an InvalidRequestException; "" is INVALID_INPUT
}

func (p probe) wants() string {
	switch {
	case p.because == "":
		return ""
	case p.fails == "":
		return invalidRequest
	}
	return p.fails
}

// The names of the errors that operations declare.
const (
	invalidRequest   = "InvalidRequestException"
	internalServer   = "InternalServerException"
	tooManyRequests  = "TooManyRequestsException"
	sessionExists    = "SessionAlreadyExistsException"
	resourceNotFound = "ResourceNotFoundException"
)

const (
	unknownID = "00000000-0000-0000-0000-000000000000"
	ipynb     = `"{\"cells\":[],\"metadata\":{},\"nbformat\":4,\"nbformat_minor\":5}"`
)

// probes are one client's life with the API, in order. Every operation that is
// served has to succeed in it and to refuse something. The client has
// workgroups of its own, ${group} and ${group}-sql.
var probes = []probe{
	{
		operation: "CreateWorkGroup",
		input: `{"Name":"${group}","Description":"All operations","Tags":[{"Key":"by","Value":"${group}"}],"Configuration":{
			"EngineVersion":{"SelectedEngineVersion":"PySpark engine version 3"},
			"ExecutionRole":"arn:aws:iam::123456789012:role/hearth",
			"ResultConfiguration":{"OutputLocation":"s3://hearth/${group}"}}}`,
	},
	{operation: "CreateWorkGroup", input: `{"Name":"${group}-sql"}`},
	{operation: "CreateWorkGroup", input: `{"Name":"${group}-sql"}`, because: "the name is taken", says: "${group}-sql"},
	{
		operation: "CreateWorkGroup", input: `{"Name":"${group}-none","Configuration":{"EngineVersion":{"SelectedEngineVersion":"PySpark engine version 3"}}}`,
		because: "a Spark engine without an execution role", says: "executionRole is null or empty",
	},
	{operation: "GetWorkGroup", input: `{"WorkGroup":"${group}"}`},
	{operation: "GetWorkGroup", input: `{"WorkGroup":"nowhere"}`, because: "an unknown workgroup", says: "is not found"},
	{operation: "GetWorkGroup", input: `{"WorkGroup":"no name"}`, because: "a name with a space", says: "Member must satisfy regular expression pattern"},
	{operation: "ListWorkGroups", input: `{}`},
	{operation: "ListWorkGroups", input: `{"MaxResults":51}`, because: "MaxResults over 50", says: "Member must have value less than or equal to 50"},
	{operation: "ListWorkGroups", input: `{"NextToken":"tok/+="}`, because: "a NextToken that no list gave", says: "The nextPageToken is malformed: tok/+="},
	{operation: "UpdateWorkGroup", input: `{"WorkGroup":"${group}","Description":"Every operation"}`},
	{operation: "UpdateWorkGroup", input: `{"WorkGroup":"nowhere","Description":"None"}`, because: "an unknown workgroup", says: "is not found"},
	{
		operation: "UpdateWorkGroup", input: `{"WorkGroup":"${group}","ConfigurationUpdates":{"EngineVersion":{"SelectedEngineVersion":"Apache Spark version 3.5"}}}`,
		because: "another engine", says: "cannot be changed",
	},
	{operation: "ListEngineVersions", input: `{}`},
	{operation: "ListEngineVersions", input: `{"MaxResults":11}`, because: "MaxResults over 10", says: "Member must have value less than or equal to 10"},
	{operation: "ListApplicationDPUSizes", input: `{}`},
	{operation: "ListApplicationDPUSizes", input: `{"NextToken":"tok/+="}`, because: "a NextToken that no list gave", says: "The nextPageToken is malformed"},

	{operation: "TagResource", input: `{"ResourceARN":"${arn}","Tags":[{"Key":"for","Value":"a test"}]}`},
	{operation: "TagResource", input: `{"ResourceARN":"${arn}","Tags":[{"Key":"aws:for","Value":"a test"}]}`, because: "a reserved key", says: "aws:for"},
	{operation: "TagResource", input: `{"ResourceARN":"arn:aws:athena:us-east-1:123456789012:workgroup/nowhere","Tags":[{"Key":"k","Value":"v"}]}`, because: "an unknown workgroup", says: "is not found"},
	{operation: "ListTagsForResource", input: `{"ResourceARN":"${arn}"}`},
	{operation: "ListTagsForResource", input: `{"ResourceARN":"arn:aws:athena:us-east-1:123456789012:datacatalog/c"}`, because: "no ARN of a workgroup or a session", says: "is not the ARN"},
	{operation: "ListTagsForResource", input: `{"ResourceARN":"arn:aws:athena:us-east-1:123456789012:workgroup/nowhere"}`, because: "an unknown workgroup", says: "is not found"},
	{operation: "UntagResource", input: `{"ResourceARN":"${arn}","TagKeys":["for"]}`},
	{operation: "UntagResource", input: `{"ResourceARN":"arn:aws:athena:us-east-1:123456789012:workgroup/nowhere","TagKeys":["for"]}`, because: "an unknown workgroup", says: "is not found"},

	{operation: "CreateNotebook", input: `{"WorkGroup":"${group}","Name":"first"}`, keep: map[string]string{"notebook": "NotebookId"}},
	{operation: "CreateNotebook", input: `{"WorkGroup":"${group}","Name":"first"}`, because: "the name is taken", says: "first"},
	{operation: "CreateNotebook", input: `{"WorkGroup":"${group}","Name":"first.ipynb"}`, because: "a file's name", says: ".ipynb"},
	{operation: "CreateNotebook", input: `{"WorkGroup":"nowhere","Name":"first"}`, because: "an unknown workgroup", says: "is not found"},
	{operation: "ImportNotebook", input: `{"WorkGroup":"${group}","Name":"second","Type":"IPYNB","Payload":` + ipynb + `}`, keep: map[string]string{"second": "NotebookId"}},
	{operation: "ImportNotebook", input: `{"WorkGroup":"${group}","Name":"third","Type":"IPYNB","Payload":"print(1)"}`, because: "no notebook"},
	{operation: "ImportNotebook", input: `{"WorkGroup":"${group}","Name":"third","Type":"IPYNB","NotebookS3LocationUri":"https://example.com/third.ipynb"}`, because: "a location that is not in S3", says: "https://example.com/third.ipynb"},
	{operation: "ImportNotebook", input: `{"WorkGroup":"${group}","Name":"third","Type":"IPYNB"}`, because: "neither a payload nor a location", says: "Payload or NotebookS3LocationUri"},
	{operation: "GetNotebookMetadata", input: `{"NotebookId":"${notebook}"}`},
	{operation: "GetNotebookMetadata", input: `{"NotebookId":"` + unknownID + `"}`, because: "an unknown notebook", says: unknownID},
	{operation: "ListNotebookMetadata", input: `{"WorkGroup":"${group}"}`},
	{operation: "ListNotebookMetadata", input: `{"WorkGroup":"nowhere"}`, because: "an unknown workgroup", says: "is not found"},
	{operation: "ExportNotebook", input: `{"NotebookId":"${notebook}"}`},
	{operation: "ExportNotebook", input: `{"NotebookId":"` + unknownID + `"}`, because: "an unknown notebook", says: unknownID},
	{operation: "UpdateNotebook", input: `{"NotebookId":"${notebook}","Type":"IPYNB","Payload":` + ipynb + `}`},
	{operation: "UpdateNotebook", input: `{"NotebookId":"${notebook}","Type":"IPYNB","Payload":"{}"}`, because: "no notebook"},
	{operation: "UpdateNotebookMetadata", input: `{"NotebookId":"${second}","Name":"other"}`},
	{operation: "UpdateNotebookMetadata", input: `{"NotebookId":"${second}","Name":"first"}`, because: "the name is taken", says: "first"},
	{operation: "DeleteNotebook", input: `{"NotebookId":"${second}"}`},
	{operation: "DeleteNotebook", input: `{"NotebookId":"${second}"}`, because: "an unknown notebook", says: "is not found"},

	{operation: "StartSession", input: `{"WorkGroup":"nowhere","EngineConfiguration":{}}`, because: "an unknown workgroup", says: "is not found"},
	{operation: "StartSession", input: `{"WorkGroup":"${group}-sql","EngineConfiguration":{}}`, because: "a workgroup of the SQL engine", says: "Workgroup EngineVersion is not Spark."},
	{operation: "StartSession", input: `{"WorkGroup":"${group}","EngineConfiguration":{"SparkProperties":{"spark.master":"yarn"}}}`, because: "a reserved Spark property", says: "spark.master"},
	{operation: "StartSession", input: `{"WorkGroup":"${group}","EngineConfiguration":{"AdditionalConfigs":{"NotebookId":"${notebook}"}}}`, because: "a notebook without its version", says: "NotebookVersion is required when NotebookId is provided."},
	{
		operation: "StartSession", input: `{"WorkGroup":"${group}","ClientRequestToken":"${group}-0123456789-0123456789-0123456789","NotebookVersion":"Athena notebook version 1",
			"SessionIdleTimeoutInMinutes":10,"EngineConfiguration":{"MaxConcurrentDpus":2,"AdditionalConfigs":{"NotebookId":"${notebook}"}}}`,
		keep: map[string]string{"session": "SessionId"},
	},
	{
		operation: "StartSession", input: `{"WorkGroup":"${group}","ClientRequestToken":"${group}-0123456789-0123456789-0123456789","EngineConfiguration":{}}`,
		because: "a used token with other parameters", says: "Idempotent parameters do not match", code: "IDEMPOTENT_PARAMETER_MISMATCH",
	},
	{
		operation: "StartSession", input: `{"WorkGroup":"${group}","NotebookVersion":"Athena notebook version 1","EngineConfiguration":{"AdditionalConfigs":{"NotebookId":"${notebook}"}}}`,
		because: "its notebook has an active session", fails: sessionExists, says: "${session}",
	},
	{operation: "StartCalculationExecution", input: `{"SessionId":"${session}","CodeBlock":"1"}`, because: "a session that is not IDLE yet", says: " state; needs to be IDLE to accept Calculations."},
	{operation: "GetSession", input: `{"SessionId":"${session}"}`},
	{operation: "GetSession", input: `{"SessionId":"` + unknownID + `"}`, because: "an unknown session", says: unknownID},
	{operation: "GetSessionStatus", input: `{"SessionId":"${session}"}`},
	{operation: "GetSessionStatus", input: `{"SessionId":"` + unknownID + `"}`, because: "an unknown session", says: unknownID},
	{operation: "ListSessions", input: `{"WorkGroup":"${group}"}`},
	{operation: "ListSessions", input: `{"WorkGroup":"nowhere"}`, because: "an unknown workgroup", says: "is not found"},
	{operation: "ListSessions", input: `{"WorkGroup":"${group}","StateFilter":"STOPPED"}`, because: "a state that there is not", says: "Member must satisfy enum value set: [CREATING, "},
	{operation: "ListExecutors", input: `{"SessionId":"${session}"}`},
	{operation: "ListExecutors", input: `{"SessionId":"` + unknownID + `"}`, because: "an unknown session", says: unknownID},
	{operation: "ListNotebookSessions", input: `{"NotebookId":"${notebook}"}`},
	{operation: "ListNotebookSessions", input: `{"NotebookId":"` + unknownID + `"}`, because: "an unknown notebook", says: unknownID},
	{operation: "CreatePresignedNotebookUrl", input: `{"SessionId":"${session}"}`},
	{operation: "GetSessionEndpoint", input: `{"SessionId":"${session}"}`},
	{operation: "GetSessionEndpoint", input: `{"SessionId":"` + unknownID + `"}`, because: "an unknown session", says: unknownID},
	{operation: "CreatePresignedNotebookUrl", input: `{"SessionId":"` + unknownID + `"}`, because: "an unknown session", says: unknownID},
	{operation: "GetResourceDashboard", input: `{"ResourceARN":"${arn}/session/${session}"}`},
	{operation: "GetResourceDashboard", input: `{"ResourceARN":"${arn}/session/` + unknownID + `"}`, because: "an unknown session", says: unknownID},
	{operation: "GetResourceDashboard", input: `{"ResourceARN":"${arn}"}`, because: "the ARN of a workgroup", says: "is the ARN of a workgroup"},
	{operation: "UpdateNotebook", input: `{"NotebookId":"${notebook}","Type":"IPYNB","Payload":` + ipynb + `}`, because: "another session than the active one", says: "${session}"},
	{operation: "UpdateNotebookMetadata", input: `{"NotebookId":"${notebook}","Name":"renamed"}`, because: "the notebook has an active session", says: "${session}"},
	{operation: "DeleteNotebook", input: `{"NotebookId":"${notebook}"}`, because: "it has an active session", says: "${session}"},

	{
		operation: "StartCalculationExecution", input: `{"SessionId":"${session}","CodeBlock":"import time; time.sleep(600)"}`,
		once: types.SessionStateIdle, keep: map[string]string{"calculation": "CalculationExecutionId"},
	},
	{operation: "StartCalculationExecution", input: `{"SessionId":"${session}","CodeBlock":"1"}`, because: "a BUSY session", says: "Session is in the BUSY state; needs to be IDLE to accept Calculations."},
	{operation: "StartCalculationExecution", input: `{"SessionId":"${session}"}`, because: "no code", says: "CodeBlock is required."},
	{operation: "StartCalculationExecution", input: `{"SessionId":"` + unknownID + `","CodeBlock":"1"}`, because: "an unknown session", says: unknownID},
	{operation: "GetCalculationExecution", input: `{"CalculationExecutionId":"${calculation}"}`},
	{operation: "GetCalculationExecution", input: `{"CalculationExecutionId":"` + unknownID + `"}`, because: "an unknown calculation", says: unknownID},
	{operation: "GetCalculationExecutionStatus", input: `{"CalculationExecutionId":"${calculation}"}`},
	{operation: "GetCalculationExecutionStatus", input: `{"CalculationExecutionId":"` + unknownID + `"}`, because: "an unknown calculation", says: unknownID},
	{operation: "GetCalculationExecutionCode", input: `{"CalculationExecutionId":"${calculation}"}`},
	{operation: "GetCalculationExecutionCode", input: `{"CalculationExecutionId":"` + unknownID + `"}`, because: "an unknown calculation", says: unknownID},
	{operation: "ListCalculationExecutions", input: `{"SessionId":"${session}"}`},
	{operation: "ListCalculationExecutions", input: `{"SessionId":"` + unknownID + `"}`, because: "an unknown session", says: unknownID},
	{operation: "StopCalculationExecution", input: `{"CalculationExecutionId":"${calculation}"}`},
	{operation: "StopCalculationExecution", input: `{"CalculationExecutionId":"` + unknownID + `"}`, because: "an unknown calculation", says: unknownID},

	{operation: "DeleteWorkGroup", input: `{"WorkGroup":"${group}"}`, because: "it is not empty", says: "is not empty"},
	{operation: "DeleteWorkGroup", input: `{"WorkGroup":"primary"}`, because: "the primary workgroup", says: "primary"},
	{operation: "TerminateSession", input: `{"SessionId":"${session}"}`},
	{operation: "TerminateSession", input: `{"SessionId":"` + unknownID + `"}`, because: "an unknown session", says: unknownID},
	{
		operation: "StartCalculationExecution", input: `{"SessionId":"${session}","CodeBlock":"1"}`,
		once: types.SessionStateTerminated, because: "a TERMINATED session", says: "Session is in the TERMINATED state; needs to be IDLE to accept Calculations.",
	},
	{operation: "GetSessionEndpoint", input: `{"SessionId":"${session}"}`, because: "a TERMINATED session", says: "is in the STOPPED state"},
	{operation: "CreatePresignedNotebookUrl", input: `{"SessionId":"${session}"}`, because: "a TERMINATED session", says: "Session is in the TERMINATED state"},
	{operation: "DeleteWorkGroup", input: `{"WorkGroup":"${group}","RecursiveDeleteOption":true}`},
	{operation: "DeleteWorkGroup", input: `{"WorkGroup":"${group}"}`, because: "an unknown workgroup", says: "is not found"},
}
