<?php

// The identity provider itself: its keys, and how it names people.

$settings = json_decode(file_get_contents(getenv('PROVOST_E2E_IDP') . '/settings.json'), true);

$idp = [
    'host' => '__DEFAULT__',
    'auth' => 'people',
    'privatekey' => $settings['keys'][0] . '.key',
    'certificate' => $settings['keys'][0] . '.crt',
    'SingleSignOnServiceBinding' => [
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST',
    ],
    'SingleLogoutServiceBinding' => [
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST',
    ],
    'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    'logouttype' => 'traditional',
    'sign.logout' => true,
    'redirect.sign' => true,
    'redirect.validate' => $settings['validateRequests'],
    'validate.authnrequest' => $settings['validateRequests'],
    'validate.logout' => true,
    'authproc' => [
        10 => [
            'class' => 'saml:AttributeNameID',
            'attribute' => 'uid',
            'Format' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
        ],
        11 => [
            'class' => 'saml:AttributeNameID',
            'attribute' => 'emailaddress',
            'Format' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
        ],
    ],
];
// A key that is announced but not used yet: the first half of a key rollover.
if (isset($settings['keys'][1])) {
    $idp['new_privatekey'] = $settings['keys'][1] . '.key';
    $idp['new_certificate'] = $settings['keys'][1] . '.crt';
}
$metadata['__DYNAMIC:1__'] = $idp;
