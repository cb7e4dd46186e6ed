package answers

// Entra is section 4.1.
type Entra struct {
	// Application (client) ID.
	ClientID string `yaml:"clientId" form:"guid" example:"11111111-2222-3333-4444-555555555555"`
	// Directory (tenant) ID.
	TenantID string `yaml:"tenantId" form:"guid" example:"99999999-8888-7777-6666-555555555555"`
	// The client secret.
	ClientSecret Secret `yaml:"clientSecret"`
	// Last day of the client secret.
	SecretExpires Date `yaml:"secretExpires" example:"2027-06-30"`
	// Redirect URI; https://DOMAIN/hub/oauth_callback.
	RedirectURI string `yaml:"redirectUri" form:"url" example:"https://jupyterhub.aiv.internal/hub/oauth_callback"`
	// API permissions of the application.
	Permissions EntraPermissions `yaml:"permissions"`
	// Login endpoint; https://login.microsoftonline.com if left out.
	LoginURL string `yaml:"loginUrl" form:"url" example:"https://login.microsoftonline.com"`
	// Microsoft Graph endpoint; https://graph.microsoft.com if left out.
	GraphURL string `yaml:"graphUrl" form:"url" example:"https://graph.microsoft.com"`
	// File with the CA that signs these endpoints, if a proxy of the company re-signs them.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
	// Whom to call about the app registration.
	Contact Contact `yaml:"contact"`
}

// EntraPermissions says in which form each permission is granted.
type EntraPermissions struct {
	// User.Read.
	UserRead EntraPermission `yaml:"userRead" example:"delegated"`
	// GroupMember.Read.All.
	GroupMemberReadAll EntraPermission `yaml:"groupMemberReadAll" example:"delegated"`
}

// EntraPermission is the form in which a permission is granted.
type EntraPermission string

// The forms of a permission.
const (
	Delegated   EntraPermission = "delegated"
	Application EntraPermission = "application"
)

// Enum lists the choices.
func (EntraPermission) Enum() []string { return []string{"delegated", "application"} }

// Groups is section 4.2.
type Groups struct {
	// JupyterHub Users.
	Users EntraGroup `yaml:"users"`
	// JupyterHub Admins.
	Admins EntraGroup `yaml:"admins"`
	// Are GPUs restricted to a group?
	GPURestricted *bool `yaml:"gpuRestricted" example:"true"`
	// GPU Users, where GPUs are restricted.
	GPUUsers EntraGroup `yaml:"gpuUsers"`
	// Other groups. An empty list says that there are none.
	Other []EntraGroup `yaml:"other"`
	// Who vouches that the provisioning of users is documented.
	Provisioning Attestation `yaml:"provisioning"`
	// Whom to call about groups.
	Contact Contact `yaml:"contact"`
}

// EntraGroup is a security group.
type EntraGroup struct {
	// Display name.
	Name string `yaml:"name" example:"SG-JupyterHub-Users"`
	// Object ID.
	ObjectID string `yaml:"objectId" form:"guid" example:"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"`
}
