{{/* A Deployment's template: dict root, name (api, worker), component (its values), command, ports. */}}
{{- define "backchannel.pod" -}}
metadata:
  labels:
    {{- include "backchannel.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
    backchannel.io/metrics: "true"
    {{- with .component.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A changed setting or a changed secret of the chart rolls the pods.
    checksum/settings: {{ include (print .root.Template.BasePath "/settings.yaml") .root | sha256sum }}
    checksum/secrets: {{ printf "%s %s" .root.Values.adminToken.value .root.Values.redis.password.value | sha256sum }}
    {{- with .component.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "backchannel.serviceAccount" .root }}
  automountServiceAccountToken: false
  # Otherwise a Service called backchannel would set BACKCHANNEL_PORT to an address.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "backchannel.grace" . }}
  securityContext:
    {{- include "backchannel.podSecurity" . | nindent 4 }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .name }}
      image: {{ include "backchannel.image" .root | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: [{{ .command }}]
      ports:
        {{- range .ports }}
        - {name: {{ .name }}, containerPort: {{ .port }}}
        {{- end }}
      envFrom:
        - configMapRef:
            name: {{ include "backchannel.fullname" .root }}-settings
      env:
        {{- if eq .name "api" }}
        - name: BACKCHANNEL_PORT
          value: {{ .component.port | quote }}
        {{- end }}
        - name: BACKCHANNEL_METRICS_PORT
          value: {{ .component.metricsPort | quote }}
        {{- include "backchannel.redis.env" .root | nindent 8 }}
        {{- if or .root.Values.adminToken.existingSecret .root.Values.adminToken.value }}
        - name: BACKCHANNEL_ADMIN_TOKEN
          valueFrom:
            secretKeyRef: {name: {{ include "backchannel.adminSecret" .root }}, key: {{ .root.Values.adminToken.key }}}
        {{- end }}
        {{- with .root.Values.otel }}
        {{- if .endpoint }}
        - name: OTEL_EXPORTER_OTLP_ENDPOINT
          value: {{ .endpoint | quote }}
        - name: OTEL_SERVICE_NAME
          value: {{ include "backchannel.fullname" $.root }}-{{ $.name }}
        - name: OTEL_TRACES_SAMPLER
          value: {{ .sampler }}
        - name: OTEL_TRACES_SAMPLER_ARG
          value: {{ .ratio | quote }}
        {{- if .headersSecret }}
        - name: OTEL_EXPORTER_OTLP_HEADERS
          valueFrom:
            secretKeyRef: {name: {{ .headersSecret }}, key: {{ .headersKey }}}
        {{- end }}
        {{- end }}
        {{- end }}
        {{- with .root.Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- include "backchannel.probes" . | nindent 6 }}
      {{- if gt (int64 .component.preStopSeconds) 0 }}
      lifecycle:
        preStop:
          sleep: {seconds: {{ .component.preStopSeconds }}}
      {{- end }}
      resources:
        {{- toYaml .component.resources | nindent 8 }}
      securityContext:
        {{- include "backchannel.containerSecurity" . | nindent 8 }}
      {{- include "backchannel.redis.volumeMounts" .root | nindent 6 }}
  {{- include "backchannel.redis.volumes" .root | nindent 2 }}
  {{- include "backchannel.spread" . | nindent 2 }}
  {{- include "backchannel.placement" . | nindent 2 }}
{{- end -}}
