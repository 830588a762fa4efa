package rpc

import (
	personalv1 "makegood.example/proto/gen/personal/v1"
	"makegood.example/services/platform/access"
)

// Access says who may call what. The SaaS's backend has the role service.
var Access = access.Table{
	"/provisioning.v1.ProvisioningService/CheckBuyer":         {Callers: []string{"orders"}},
	"/provisioning.v1.ProvisioningService/FindAccount":        {Callers: []string{"payments"}},
	"/provisioning.v1.ProvisioningService/GrantAccess":        {Callers: []string{"orders"}},
	"/provisioning.v1.ProvisioningService/RevokeAccess":       {Callers: []string{"orders"}},
	"/provisioning.v1.ProvisioningService/RestoreAccess":      {Callers: []string{"orders"}},
	"/provisioning.v1.ProvisioningService/FollowSubscription": {Callers: []string{"orders"}},
	"/provisioning.v1.ProvisioningService/MatchGrants":        {Callers: []string{"reconciliation"}},
	"/provisioning.v1.ProvisioningService/CheckAccess":        {Callers: []string{"orders", "reconciliation"}, Role: access.Service},
	"/provisioning.v1.ProvisioningService/CreateSignInLink":   {Callers: []string{"notifications"}},
	"/provisioning.v1.ProvisioningService/RedeemActivation":   {Role: access.Service},

	"/provisioning.v1.ProvisioningAdminService/ListHooks":   {Callers: []string{"reconciliation"}, Role: access.Viewer},
	"/provisioning.v1.ProvisioningAdminService/ReplayHooks": {Role: access.Support},

	personalv1.PersonalDataService_ExportPerson_FullMethodName: {Callers: []string{"reconciliation"}},
	personalv1.PersonalDataService_ErasePerson_FullMethodName:  {Callers: []string{"reconciliation"}},
}
