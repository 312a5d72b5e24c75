{{/* The gateway's own names: its pods must never match the operator's selector. */}}

{{- define "agentscaler.gateway.fullname" -}}
{{- printf "%s-gateway" (include "agentscaler.fullname" . | trunc 55 | trimSuffix "-") }}
{{- end }}

{{- define "agentscaler.gateway.selector" -}}
app.kubernetes.io/name: {{ include "agentscaler.name" . | trunc 55 | trimSuffix "-" }}-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "agentscaler.gateway.labels" -}}
{{ include "agentscaler.gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: gateway
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "agentscaler.gateway.serviceAccount" -}}
{{- default (include "agentscaler.gateway.fullname" .) .Values.gateway.serviceAccount.name }}
{{- end }}

{{/* The file that `agentscaler gateway` reads; where it listens is the chart's to say. */}}
{{- define "agentscaler.gateway.config" -}}
{{- $_ := required "gateway.config.routes: name the agents and where they are, see docs/gateway.md" .Values.gateway.config.routes }}
{{- toYaml (merge (dict "listen" "0.0.0.0:8080" "admin" "0.0.0.0:9090") .Values.gateway.config) }}
{{- end }}

{{/* Where the routes look for endpoints: namespaces as a JSON object {NAMESPACE: true}. */}}
{{- define "agentscaler.gateway.namespaces" -}}
{{- $found := dict }}
{{- range .Values.gateway.config.routes }}
{{- with .backends.service }}
{{- $_ := set $found (default $.Release.Namespace .namespace) true }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* What the routes wake: names of policies by namespace, as JSON {NAMESPACE: [POLICY]}. */}}
{{- define "agentscaler.gateway.wakes" -}}
{{- $found := dict }}
{{- range .Values.gateway.config.routes }}
{{- $service := default dict .backends.service }}
{{- with .wake }}
{{- $namespace := coalesce .namespace $service.namespace $.Release.Namespace }}
{{- $_ := set $found $namespace (append (default list (get $found $namespace)) .policy | uniq) }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}
