<?php

// Configuration of the SAML identity provider under test. Everything that differs between runs is in settings.json of
// the folder that PROVOST_E2E_IDP names; these files stay as they are.

$settings = json_decode(file_get_contents(getenv('PROVOST_E2E_IDP') . '/settings.json'), true);
$directory = getenv('PROVOST_E2E_IDP');

$config = [
    'baseurlpath' => $settings['baseUrl'] . '/',
    'certdir' => $directory . '/',
    'loggingdir' => $directory . '/',
    'datadir' => $directory . '/',
    'tempdir' => $directory . '/',
    'metadatadir' => __DIR__ . '/metadata/',
    'attributenamemapdir' => '/etc/simplesamlphp/attributemap/',
    'technicalcontact_name' => 'End-to-end suite',
    'technicalcontact_email' => 'na@example.org',
    'timezone' => 'UTC',
    'secretsalt' => 'loopback-only-not-a-secret',
    'auth.adminpassword' => 'loopback-only',
    'admin.checkforupdates' => false,
    'trusted.url.domains' => null,
    'enable.saml20-idp' => true,
    'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
    'debug' => ['saml' => false, 'backtraces' => true, 'validatexml' => true],
    'showerrors' => true,
    'errorreporting' => false,
    'logging.level' => SimpleSAML\Logger::INFO,
    'logging.handler' => 'errorlog',
    'logging.processname' => 'simplesamlphp',
    'statistics.out' => [],
    'session.cookie.secure' => false,
    'session.cookie.samesite' => null,
    'language.cookie.secure' => false,
    'language.cookie.samesite' => null,
    'language.default' => 'en',
    'language.available' => ['en'],
    'store.type' => 'phpsession',
    'session.phpsession.savepath' => $directory,
    'production' => true,
    'theme.use' => 'default',
    'authproc.idp' => [],
    'metadata.sources' => [['type' => 'flatfile']],
];
