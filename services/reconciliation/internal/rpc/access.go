package rpc

import "makegood.example/services/platform/access"

// Access says who may call what. Every service that gives up on something
// opens a case.
var Access = access.Table{
	"/reconciliation.v1.ReconciliationService/StartRun":           {Role: access.Support},
	"/reconciliation.v1.ReconciliationService/WatchRun":           {Role: access.Support},
	"/reconciliation.v1.ReconciliationService/ExplainCharge":      {Role: access.Viewer},
	"/reconciliation.v1.ReconciliationService/GetIntegrityReport": {Callers: []string{"notifications"}, Role: access.Viewer},
	"/reconciliation.v1.ReconciliationService/CountChargesByDay":  {Role: access.Viewer},
	"/reconciliation.v1.ReconciliationService/GetCase":            {Role: access.Viewer},
	"/reconciliation.v1.ReconciliationService/ListRuns":           {Callers: []string{"notifications"}, Role: access.Viewer},
	"/reconciliation.v1.ReconciliationService/OpenCase":           {Callers: []string{"orders", "payments", "provisioning", "notifications"}},
	"/reconciliation.v1.ReconciliationService/ListCases":          {Role: access.Viewer},

	"/reconciliation.v1.SupportService/WhoAmI":              {Role: access.Viewer},
	"/reconciliation.v1.SupportService/LookupCustomer":      {Role: access.Viewer},
	"/reconciliation.v1.SupportService/Recover":             {Role: access.Support},
	"/reconciliation.v1.SupportService/AdoptCharge":         {Role: access.Support},
	"/reconciliation.v1.SupportService/ResendMessage":       {Role: access.Support},
	"/reconciliation.v1.SupportService/Refund":              {Role: access.Support},
	"/reconciliation.v1.SupportService/ClaimCase":           {Role: access.Support},
	"/reconciliation.v1.SupportService/AcknowledgeCase":     {Role: access.Support},
	"/reconciliation.v1.SupportService/SnoozeCase":          {Role: access.Support},
	"/reconciliation.v1.SupportService/ResolveCase":         {Role: access.Support},
	"/reconciliation.v1.SupportService/AcknowledgeIncident": {Role: access.Support},
	"/reconciliation.v1.SupportService/SnoozeIncident":      {Role: access.Support},
	"/reconciliation.v1.SupportService/LinkEvent":           {Role: access.Support},
	"/reconciliation.v1.SupportService/ReplayEvent":         {Role: access.Support},
	"/reconciliation.v1.SupportService/IgnoreEvent":         {Role: access.Support},
	"/reconciliation.v1.SupportService/SendHooksAgain":      {Role: access.Support},
	"/reconciliation.v1.SupportService/SetCharging":         {Role: access.Admin},
	"/reconciliation.v1.SupportService/Reply":               {Role: access.Support},
	"/reconciliation.v1.SupportService/OpenTicket":          {Role: access.Support},
	"/reconciliation.v1.SupportService/ChangeTicket":        {Role: access.Support},
	"/reconciliation.v1.SupportService/ListTickets":         {Role: access.Viewer},
	"/reconciliation.v1.SupportService/ListAudit":           {Role: access.Viewer},
	"/reconciliation.v1.SupportService/ExportPerson":        {Role: access.Admin},
	"/reconciliation.v1.SupportService/ErasePerson":         {Role: access.Admin},
}
