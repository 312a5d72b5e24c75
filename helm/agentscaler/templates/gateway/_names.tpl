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
{{- if .Values.gateway.serviceAccount.create }}
{{- default (include "agentscaler.gateway.fullname" .) .Values.gateway.serviceAccount.name }}
{{- else }}
{{- required "gateway.serviceAccount.name: name the account to use, or set gateway.serviceAccount.create" .Values.gateway.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* Seconds of a duration such as 90s, 10m or 1h30m. */}}
{{- define "agentscaler.gateway.seconds" -}}
{{- $of := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0 }}
{{- $sum := 0.0 }}
{{- range regexFindAll "[0-9]+(ms|[smhd])" (toString .) -1 }}
{{- $sum = addf $sum (mulf (regexFind "[0-9]+" .) (get $of (regexFind "[a-z]+" .))) }}
{{- end }}
{{- $sum }}
{{- end }}

{{/* Seconds that a pod gets to end; what is under way would else be cut off by the kubelet. */}}
{{- define "agentscaler.gateway.grace" -}}
{{- $config := .Values.gateway.config }}
{{- $delay := include "agentscaler.gateway.seconds" (default "5s" $config.drainDelay) }}
{{- $limit := include "agentscaler.gateway.seconds" (default "60s" $config.drainLimit) }}
{{- $least := addf $delay $limit 5 | ceil | int }}
{{- $given := int .Values.gateway.terminationGracePeriodSeconds }}
{{- if lt $given $least }}
{{- fail (printf "gateway.terminationGracePeriodSeconds: set at least %d, for drainDelay, drainLimit and 5 seconds to end" $least) }}
{{- end }}
{{- $given }}
{{- end }}

{{/* The file that `agentscaler gateway` reads; where it listens is the chart's to say. */}}
{{- define "agentscaler.gateway.config" -}}
{{- $_ := required "gateway.config.routes: name the agents and where they are, see docs/gateway.md" .Values.gateway.config.routes }}
{{- toYaml (merge (dict "listen" "0.0.0.0:8080" "admin" "0.0.0.0:9090") .Values.gateway.config) }}
{{- end }}

{{/* Where the routes look for endpoints: namespaces as a JSON object {NAMESPACE: true}. */}}
{{- define "agentscaler.gateway.namespaces" -}}
{{- $found := dict }}
{{- range $route := .Values.gateway.config.routes }}
{{- with $route.backends.service }}
{{- $_ := set $found (coalesce .namespace $route.namespace $.Release.Namespace) true }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* What the routes wake: names of policies by namespace, as JSON {NAMESPACE: [POLICY]}. */}}
{{- define "agentscaler.gateway.wakes" -}}
{{- $found := dict }}
{{- range $route := .Values.gateway.config.routes }}
{{- $service := default dict $route.backends.service }}
{{- with $route.wake }}
{{- $namespace := coalesce .namespace $route.namespace $service.namespace $.Release.Namespace }}
{{- $_ := set $found $namespace (append (default list (get $found $namespace)) .policy | uniq) }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}
